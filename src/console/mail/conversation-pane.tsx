import { effect, useSignal } from '@preact/signals'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { presenceInWords } from '../../text/presence.ts'
import { count } from '../../text/spans.ts'
import { visibleLine } from '../../text/visible.ts'
import { call } from '../api.ts'
import { live, onLive } from '../live.ts'
import { href } from '../router.ts'
import { who } from '../session.ts'
import { Presence } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Icon } from '../ui/icon.tsx'
import { Name } from '../ui/name.tsx'
import { Empty, Failed, Loading } from '../ui/states.tsx'
import { now } from '../ui/time.tsx'
import { toast } from '../ui/toast.tsx'
import { VirtualList } from '../ui/virtual-list.tsx'
import { Compose } from './compose.tsx'
import { Conversation, type Shown } from './conversation.ts'
import { memberCalled, useDirectory } from './directory.ts'
import { placeOf } from './drafts.ts'
import { MessageRow } from './message-row.tsx'
import type { Outgoing } from './outgoing.ts'
import { OutgoingRow } from './outgoing-row.tsx'
import { ack } from './read-marks.ts'
import { onStored, outgoing } from './sends.ts'
import type { Row } from './threads.ts'
import { useDraft } from './use-draft.ts'
import { beginningLine, isUnreadBy, kindInWords } from './words.ts'

type Item = { kind: 'top' } | { kind: 'message'; row: Row<Shown> } | { kind: 'outgoing'; item: Outgoing }

const keyOf = (item: Item) =>
  item.kind === 'top' ? 'top' : item.kind === 'message' ? item.row.message.id : `out-${item.item.request.id}`

/** The messages between `of` and `other`, with sends in progress and the form. Requires a key: one instance per conversation. */
export function ConversationPane({ of, other }: { of: string; other: string }) {
  const me = who.value!
  const isOwn = me.name === of && me.role !== 'admin'
  const isOwned = me.owns.includes(of) && me.role === 'human'
  const place = placeOf(of, other)
  const kept = useDraft(place)
  const input = useRef<HTMLInputElement & HTMLTextAreaElement>(null)
  const conversation = useConversation(of, other)
  useDirectory()
  const sending = outgoing.value.filter(item => item.place === place)
  const rows = conversation.rows.value
  const isAtTop = !conversation.hasOlder.value || conversation.error.value !== undefined
  const items = useMemo<Item[]>(
    () => [
      // Not while older messages may exist: the scroll position is anchored to the first visible row, which then has to be a message.
      ...(isAtTop ? [{ kind: 'top' as const }] : []),
      ...rows.map(row => ({ kind: 'message' as const, row })),
      ...sending.map(item => ({ kind: 'outgoing' as const, item })),
    ],
    [rows, outgoing.value, isAtTop],
  )

  const answer = (message: Shown) => {
    const to = message.from === of ? other : message.from
    kept.change({ replyTo: message.id, to: isOwn && to === other ? '' : to, ...(isOwned && { answersFor: of }) })
    requestAnimationFrame(() => input.current?.focus())
  }
  const acked = async (messages: readonly Shown[]) => {
    await ack(messages.map(({ id }) => id))
    const at = new Date().toISOString()
    for (const { id } of messages) conversation.change({ id, recipient: of, status: 'acked', at })
  }
  const unread = isOwn ? rows.filter(({ message }) => isUnreadBy(message, of)).map(({ message }) => message) : []
  const answers = kept.draft.value.replyTo
  const answered = answers === undefined ? undefined : conversation.get(answers)

  return (
    <section class="conversation" aria-label={`Conversation with ${visibleLine(other, 64)}`}>
      <header class="conversation-head">
        <a class="button plain icon-only back" href={href('conversations')} title="All conversations">
          <Icon name="back" />
          <span class="hidden">All conversations</span>
        </a>
        <Partner of={of} other={other} isOwn={isOwn} />
        <div class="actions">
          {unread.length > 0 && (
            <Button
              icon="check"
              onClick={() => acked(unread).then(() => toast(`${count(unread.length, 'message')} acked.`))}
            >
              Ack {unread.length}
            </Button>
          )}
          <a
            class="button plain icon-only"
            href={href('search', [], { with: other, of: isOwn ? '' : of })}
            title="Search this conversation"
          >
            <Icon name="search" />
            <span class="hidden">Search this conversation</span>
          </a>
        </div>
      </header>
      {!conversation.isLoaded.value ? (
        conversation.error.value === undefined ? (
          <Loading rows={8} what="the conversation" />
        ) : (
          <Failed error={conversation.error.value} retry={() => conversation.older()} />
        )
      ) : rows.length + sending.length === 0 ? (
        <Empty icon="conversations" title="No messages yet">
          {visibleLine(of, 64)} and {visibleLine(other, 64)} have not exchanged any messages.
        </Empty>
      ) : (
        <>
          {conversation.isLoadingOlder.value && (
            <p class="loading-older" role="status">
              Loading older messages…
            </p>
          )}
          <VirtualList
            items={items}
            keyOf={keyOf}
            estimate={104}
            label="Messages, newest last"
            stickToEnd
            onNearStart={() => void conversation.older()}
          >
            {item =>
              item.kind === 'top' ? (
                <Top conversation={conversation} />
              ) : item.kind === 'outgoing' ? (
                <OutgoingRow item={item.item} onTaken={part => kept.change(joined(part, kept.draft.peek().body))} />
              ) : (
                <MessageRow
                  row={item.row}
                  of={of}
                  other={other}
                  isOwn={isOwn}
                  quoted={quotedIn(conversation, item.row)}
                  onReply={isOwn || (isOwned && item.row.message.from !== of) ? answer : undefined}
                  onAck={isOwn ? message => acked([message]) : undefined}
                />
              )
            }
          </VirtualList>
        </>
      )}
      <Foot isOwn={isOwn} isOwned={isOwned} of={of} other={other} isAnswering={answers !== undefined}>
        <Compose kept={kept} to={other} inputRef={input} answers={answered && beginningLine(answered.body)} />
      </Foot>
    </section>
  )
}

/** Merges a send that was taken back with the draft begun meanwhile. */
function joined<T extends { body?: string; to?: string }>(taken: T, begun: string): T {
  return { ...taken, body: begun.trim() === '' ? taken.body : `${taken.body}\n\n${begun}` }
}

function quotedIn(conversation: Conversation, { quotes }: Row<Shown>): string | undefined {
  const message = quotes === undefined ? undefined : conversation.get(quotes)
  return message && beginningLine(message.body)
}

/** The heading: the other member, its presence, and the owner of the conversation if that is not the reader. */
function Partner({ of, other, isOwn }: { of: string; other: string; isOwn: boolean }) {
  const member = memberCalled(other)
  return (
    <div class="partner">
      <h1>
        {member && <Presence online={member.online} />}
        {!isOwn && (
          <>
            <Name of={of} /> <span class="hint">with</span>{' '}
          </>
        )}
        {member ? <Name of={member.name} /> : <bdi>{visibleLine(other, 64)}</bdi>}
      </h1>
      <p class="hint">
        {member
          ? `${kindInWords(member.kind)}${member.owner === null ? '' : ` owned by ${member.owner}`}, ${presenceInWords(member, now.value)}`
          : other === 'hub'
            ? 'notices from the hub'
            : 'group'}
      </p>
    </div>
  )
}

/** The form, or the reason why there is none. */
function Foot({
  isOwn,
  isOwned,
  of,
  other,
  isAnswering,
  children,
}: {
  isOwn: boolean
  isOwned: boolean
  of: string
  other: string
  isAnswering: boolean
  children: preact.ComponentChildren
}) {
  const kind: string | undefined = memberCalled(other)?.kind
  if (other === 'hub')
    return <p class="conversation-foot hint">These are notices from the hub, which cannot receive messages.</p>
  if (kind === 'service')
    return <p class="conversation-foot hint">{visibleLine(other, 64)} is a service, which cannot receive messages.</p>
  if (isOwn || (isOwned && isAnswering)) return <div class="conversation-foot">{children}</div>
  return (
    <p class="conversation-foot hint">
      {isOwned ? (
        <>
          You are reading the messages of {visibleLine(of, 64)}. Answer one of them on its behalf, or{' '}
          <a href={href('conversations', [who.value!.name, other])}>write to {visibleLine(other, 64)} as yourself</a>.
        </>
      ) : (
        'An admin sees traffic, but has no inbox and cannot write messages.'
      )}
    </p>
  )
}

/** The line above the first message: an error, or the beginning of the conversation. */
function Top({ conversation }: { conversation: Conversation }) {
  if (conversation.error.value !== undefined)
    return <Failed error={conversation.error.value} retry={() => conversation.older()} />
  return <p class="top hint">Start of the conversation</p>
}

/** Minimum time between two requests of new messages, in ms. */
const restMs = 250

/** The conversation of two members, loaded and kept up to date while the component is mounted. */
function useConversation(of: string, other: string): Conversation {
  const conversation = useMemo(
    () =>
      new Conversation(
        (before, limit) =>
          call('listMessages', {
            query: { with: other, limit, ...(ownName() !== of && { of }), ...(before !== undefined && { before }) },
          }),
        id => call('getMessage', { params: { id } }),
        [of, other],
      ),
    [of, other],
  )
  const timer = useSignal<ReturnType<typeof setTimeout> | undefined>(undefined)
  useEffect(() => {
    void conversation.older()
    const look = () => {
      timer.value ??= setTimeout(() => {
        timer.value = undefined
        void conversation.refresh()
      }, restMs)
    }
    const stops = [
      onLive('traffic', event => {
        // A group or an alias is in `to` by its own name, so any message with `of` may belong to this conversation.
        const isBetween =
          event.from === of || ((event.from === other || event.to.includes(other)) && event.of.includes(of))
        if (isBetween || (event.replyTo !== undefined && conversation.get(event.replyTo))) look()
      }),
      onLive('change', event => conversation.change(event)),
      onLive('reset', look),
      onStored(place => place === placeOf(of, other) && look()),
      // Retry what failed once the hub is reachable again.
      effect(() => {
        if (live.value.state === 'open' && conversation.error.peek() !== undefined) look()
      }),
    ]
    return () => {
      clearTimeout(timer.value)
      for (const stop of stops) stop()
      conversation.close()
    }
  }, [conversation])
  return conversation
}

function ownName(): string | undefined {
  const me = who.peek()
  return me?.role === 'admin' ? undefined : me?.name
}
