import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { MessageWithReceipts, Receipt } from '../../protocol/messages.ts'
import { gatherInWords } from '../../text/gather.ts'
import { receiptInWords } from '../../text/receipts.ts'
import { count, largestUnit } from '../../text/spans.ts'
import { visibleLine } from '../../text/visible.ts'
import { call } from '../api.ts'
import type { PageProps } from '../lazy-page.tsx'
import { useLive } from '../live.ts'
import { Body } from '../mail/body.tsx'
import { Compose } from '../mail/compose.tsx'
import { Intent } from '../mail/message-row.tsx'
import { OutgoingRow } from '../mail/outgoing-row.tsx'
import { ack } from '../mail/read-marks.ts'
import { onStored, outgoing } from '../mail/sends.ts'
import { type LifeStep, lifeOf } from '../mail/timeline.ts'
import { useDraft } from '../mail/use-draft.ts'
import { beginningLine, toneOf } from '../mail/words.ts'
import { href } from '../router.ts'
import { who } from '../session.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Icon, type IconName } from '../ui/icon.tsx'
import { Name } from '../ui/name.tsx'
import { Facts, PageHead, Panel } from '../ui/panel.tsx'
import { Empty, Loaded } from '../ui/states.tsx'
import { Line } from '../ui/text.tsx'
import { fullTime, now, Time } from '../ui/time.tsx'
import { useAsk } from '../ui/use-ask.ts'
import '../mail/mail.css'

/** `#/messages/ID`: one message with its steps. */
export default function MessagePage({ parts: [id] }: PageProps) {
  if (id === undefined)
    return (
      <Empty icon="search" title="No message selected">
        Open one from a conversation or a search.
      </Empty>
    )
  return <OneMessage key={id} id={id} />
}

function OneMessage({ id }: { id: string }) {
  const asked = useAsk(signal => call('getMessage', { params: { id }, signal }), [id])
  useLive('change', event => event.id === id && asked.reload(), [id])
  useLive('traffic', event => event.replyTo === id && asked.reload(), [id])
  useLive('reset', () => asked.reload(), [])
  return (
    <Loaded asked={asked} rows={8} what="the message">
      {found => <Found found={found} reload={asked.reload} />}
    </Loaded>
  )
}

function Found({ found, reload }: { found: MessageWithReceipts; reload: () => void }) {
  const { message, receipts, gather } = found
  const { id, from, fromProject, to, sentAt, intent, replyTo, expiresAt } = message
  const me = who.value!
  const wantsAnswer = intent !== 'inform'
  const own = receipts.find(({ name }) => name === me.name)
  const isUnread = me.role !== 'admin' && from !== me.name && (own?.status === 'stored' || own?.status === 'fetched')
  const place = placeOfMessage(message, receipts, me)
  return (
    <div class="one-message">
      <PageHead
        title={
          <>
            <Name of={from} project={fromProject} /> <span class="hint">to</span>{' '}
            <bdi>{visibleLine(to.join(', '), 200)}</bdi>
          </>
        }
        actions={
          <>
            {isUnread && (
              <Button icon="check" onClick={() => ack([id]).then(reload)}>
                Ack
              </Button>
            )}
            {place && (
              <a class="button" href={href('conversations', place)}>
                <Icon name="conversations" />
                Conversation
              </a>
            )}
          </>
        }
      >
        <Time at={sentAt} />, {fullTime(Date.parse(sentAt))}
      </PageHead>
      <div class="message-columns">
        <div class="stack">
          <Panel
            title="Text"
            actions={
              <>
                <Intent of={message} />
                {isUnread && <Badge tone="warn">unread</Badge>}
                {message.held && <Badge tone="warn">held for the user</Badge>}
              </>
            }
          >
            {replyTo !== undefined && <Question id={replyTo} />}
            <Body of={message} whole />
          </Panel>
          <Answers receipts={receipts} />
          <Reply message={message} receipts={receipts} />
        </div>
        <div class="stack">
          <Panel title="Steps">
            <Life steps={lifeOf(found)} />
          </Panel>
          <Panel title="Receipts">
            {gather && (
              <p class="gather">
                {gatherInWords(receipts, now.value)};{' '}
                {gather.open ? `open for ${largestUnit(gather.leftMs)} more` : 'no longer open'}
              </p>
            )}
            <ul class="receipts">
              {receipts.slice(0, 100).map(receipt => (
                <li key={receipt.name}>
                  <Name of={receipt.name} project={receipt.project} />
                  <span class={`standing ${toneOf(receipt, wantsAnswer)}`}>
                    {receiptInWords(receipt, wantsAnswer, now.value)}
                  </span>
                </li>
              ))}
            </ul>
            {receipts.length > 100 && <p class="hint">and {receipts.length - 100} more recipients</p>}
          </Panel>
          <Panel title="Details">
            <Facts
              of={[
                ['ID', <code key="id">{id}</code>],
                ['Seq', String(message.seq)],
                ['Intent', intent],
                ['Size', message.bytes === undefined ? undefined : count(message.bytes, 'byte')],
                ['Expires', expiresAt && fullTime(Date.parse(expiresAt))],
                ['Project', message.project],
              ]}
            />
          </Panel>
        </div>
      </div>
    </div>
  )
}

/** Returns the conversation in which the reader finds the message. */
function placeOfMessage(
  { from, to }: MessageWithReceipts['message'],
  receipts: readonly Receipt[],
  { name, owns, role }: NonNullable<typeof who.value>,
): [string, string] | undefined {
  const eyes = role === 'admin' ? undefined : [name, ...owns]
  const isSeen = (member: string) => eyes === undefined || eyes.includes(member)
  if (isSeen(from)) return [from, receipts.length === 1 ? receipts[0]!.name : to[0]!.replace(/^@/, '').split('/')[0]!]
  const recipient = receipts.find(receipt => isSeen(receipt.name))
  return recipient && [recipient.name, from]
}

/** A link to the message that this one answers, with its first words if the reader may see them. */
function Question({ id }: { id: string }) {
  const asked = useAsk(signal => call('getMessage', { params: { id }, signal }), [id])
  const message = asked.value.value?.message
  return (
    <a class="quote" href={href('messages', [id])}>
      <Icon name="reply" size={14} />
      <span>
        answer to{' '}
        {message ? (
          <Line max={140}>
            {message.body === '' ? `a message from ${message.from}` : `${message.from}: ${message.body.slice(0, 600)}`}
          </Line>
        ) : (
          'a message'
        )}
      </span>
    </a>
  )
}

/** Most answers that are loaded to be shown with their texts. */
const maxAnswers = 20

function Answers({ receipts }: { receipts: readonly Receipt[] }) {
  const ids = receipts.flatMap(({ answerId }) => (answerId === undefined ? [] : [answerId]))
  const answers = useAsk(
    async signal =>
      (
        await Promise.allSettled(ids.slice(0, maxAnswers).map(id => call('getMessage', { params: { id }, signal })))
      ).flatMap(each => (each.status === 'fulfilled' ? [each.value.message] : [])),
    [ids.join()],
  )
  if (ids.length === 0) return null
  return (
    <Panel title={ids.length === 1 ? 'Answer' : `${ids.length} answers`}>
      <Loaded asked={answers} rows={2} what="the answer">
        {messages => (
          <ul class="answers">
            {messages.map(message => (
              <li key={message.id}>
                <p class="row">
                  <Name of={message.from} project={message.fromProject} />
                  <a class="hint" href={href('messages', [message.id])}>
                    <Time at={message.sentAt} as="moment" />
                  </a>
                </p>
                <Body of={message} />
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      {ids.length > maxAnswers && <p class="hint">and {ids.length - maxAnswers} more</p>}
    </Panel>
  )
}

/** The form for an answer, also for the owner of a machine that was asked. */
function Reply({ message, receipts }: { message: MessageWithReceipts['message']; receipts: readonly Receipt[] }) {
  const me = who.value!
  const isOpen = useSignal(false)
  const input = useRef<HTMLInputElement & HTMLTextAreaElement>(null)
  const place = `message/${message.id}`
  const kept = useDraft(place)
  useEffect(
    () =>
      onStored(stored => {
        if (stored === place) isOpen.value = false
      }),
    [place],
  )
  const owned =
    me.role === 'human' ? receipts.find(({ name }) => name !== me.name && me.owns.includes(name)) : undefined
  const isRecipient = receipts.some(({ name }) => name === me.name)
  const mayAnswer =
    me.role !== 'admin' && message.fromKind !== 'hub' && message.from !== me.name && (isRecipient || owned)
  const sending = outgoing.value.filter(item => item.place === place)
  const isShown = isOpen.value || kept.draft.value.body !== ''
  if (!mayAnswer && sending.length === 0) return null
  const answersFor = isRecipient ? undefined : owned?.name
  if (!isShown && sending.length === 0) {
    return (
      <div>
        <Button
          look="main"
          icon="reply"
          onClick={() => {
            kept.change({ replyTo: message.id, to: message.from, ...(answersFor && { answersFor }) })
            isOpen.value = true
            requestAnimationFrame(() => input.current?.focus())
          }}
        >
          {answersFor ? `Answer for ${answersFor}` : 'Answer'}
        </Button>
      </div>
    )
  }
  return (
    <Panel title="Answer">
      {sending.map(item => (
        <OutgoingRow key={item.request.id} item={item} onTaken={kept.change} />
      ))}
      {isShown && <Compose kept={kept} to={message.from} answers={beginningLine(message.body)} inputRef={input} />}
    </Panel>
  )
}

/** Most steps that are drawn initially. */
const maxSteps = 60

const icons: Record<LifeStep['kind'], IconName> = {
  written: 'clock',
  sent: 'send',
  stored: 'check',
  held: 'lock',
  refused: 'close',
  told: 'bell',
  woken: 'bell',
  shown: 'sessions',
  acked: 'check',
  answered: 'reply',
  expired: 'clock',
}

function Life({ steps }: { steps: readonly LifeStep[] }) {
  const isAll = useSignal(false)
  const shown = isAll.value ? steps : steps.slice(0, maxSteps)
  return (
    <>
      <ol class="life">
        {shown.map(({ at, kind, who, what, answerId }, index) => (
          <li key={`${kind}-${who}`} class={kind}>
            <span class="dot">
              <Icon name={icons[kind]} size={13} />
            </span>
            <p>
              {who !== undefined && <strong>{visibleLine(who, 130)}: </strong>}
              {visibleLine(what, 300)}
              {answerId !== undefined && (
                <>
                  {' '}
                  <a href={href('messages', [answerId])}>with a message</a>
                </>
              )}
            </p>
            <time dateTime={new Date(at).toISOString()} title={fullTime(at)}>
              {stamp(at)}
              {index > 0 && at - steps[0]!.at >= 1000 && <span class="hint"> +{largestUnit(at - steps[0]!.at)}</span>}
            </time>
          </li>
        ))}
      </ol>
      {shown.length < steps.length && (
        <Button onClick={() => (isAll.value = true)}>Show all {steps.length} steps</Button>
      )}
    </>
  )
}

/** Returns `14:02:03`, with the day if it is not today. */
function stamp(at: number): string {
  const date = new Date(at)
  const isToday = date.toDateString() === new Date(now.value).toDateString()
  const day = isToday ? '' : `${date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })} `
  return day + date.toTimeString().slice(0, 8)
}
