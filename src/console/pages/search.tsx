import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { MessageWithReceipts } from '../../protocol/messages.ts'
import { visible, visibleLine } from '../../text/visible.ts'
import { call } from '../api.ts'
import type { PageProps } from '../lazy-page.tsx'
import { missing } from '../mail/body.tsx'
import { excerpt, marked } from '../mail/marks.ts'
import { Intent } from '../mail/message-row.tsx'
import { RecipientsField } from '../mail/recipients-field.tsx'
import { go, href } from '../router.ts'
import { who } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Field, Select } from '../ui/field.tsx'
import { PageHead } from '../ui/panel.tsx'
import { Empty, Failed, Loading } from '../ui/states.tsx'
import { Time } from '../ui/time.tsx'
import '../mail/mail.css'

const pageSize = 30

/** Pause in typing after which the search starts, in ms. */
const pauseMs = 250

/** `#/search?q=WORDS&with=NAME&of=NAME` */
export default function SearchPage({ query: { q = '', with: other = '', of = '' } }: PageProps) {
  const me = who.value!
  const typed = useSignal({ q, other, of })
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  useEffect(() => {
    // The address was changed by other means: the back button, or a link.
    const now = typed.peek()
    const isOther = now.q.trim() !== q || now.other.trim() !== other || now.of !== of
    if (timer.current === undefined && isOther) typed.value = { q, other, of }
  }, [q, other, of])

  const change = (part: Partial<typeof typed.value>) => {
    typed.value = { ...typed.value, ...part }
    clearTimeout(timer.current)
    timer.current = setTimeout(() => {
      timer.current = undefined
      const { q, other, of } = typed.value
      go('search', [], { q: q.trim(), with: other.trim(), of }, { replace: true })
    }, pauseMs)
  }
  useEffect(() => () => clearTimeout(timer.current), [])

  const owners = me.role === 'admin' ? [] : [me.name, ...me.owns]
  const mayRead = me.role !== 'admin' || me.adminReads
  return (
    <>
      <PageHead title="Search">Finds words and beginnings of words, ignoring case and accents.</PageHead>
      <search>
        <form class="search-form" onSubmit={event => event.preventDefault()}>
          <Field
            label="Words"
            type="search"
            value={typed.value.q}
            onInput={q => change({ q })}
            maxLength={200}
            autoFocus
          />
          <RecipientsField
            label="With"
            single
            value={typed.value.other}
            onInput={other => change({ other })}
            you={me.name}
          />
          {owners.length > 1 && (
            <Select
              label="Inbox"
              value={typed.value.of}
              onInput={of => change({ of })}
              options={[
                ['', 'All inboxes'],
                ...owners.map(name => [name, name === me.name ? `${name} (me)` : name] as const),
              ]}
            />
          )}
        </form>
      </search>
      {!mayRead ? (
        <Empty icon="lock" title="Texts are not shown to an admin">
          To show them, set "console": {'{'}"adminReads": true{'}'} in hub.json. Each view is then recorded in the
          audit.
        </Empty>
      ) : q === '' && other === '' ? (
        <Empty icon="search" title="Enter words to search for">
          Words inside identifiers are found too: <code>name</code> finds <code>getUserName</code>.
        </Empty>
      ) : (
        <Results key={JSON.stringify([q, other, of])} q={q} other={other} of={of || owners.join(',')} />
      )}
    </>
  )
}

function Results({ q, other, of }: { q: string; other: string; of: string }) {
  const found = useSignal<readonly MessageWithReceipts[] | undefined>(undefined)
  const isMore = useSignal(false)
  const error = useSignal<unknown>(undefined)
  const stop = useRef(new AbortController())

  const load = async () => {
    const { signal } = stop.current
    const before = found.peek()?.at(-1)?.message.seq
    try {
      const page = await call('listMessages', {
        query: {
          limit: pageSize,
          ...(q !== '' && { q }),
          ...(other !== '' && { with: other }),
          ...(of !== '' && { of }),
          ...(before !== undefined && { before }),
        },
        signal,
      })
      found.value = [...(found.peek() ?? []), ...page.messages]
      isMore.value = page.more && page.messages.length > 0
      error.value = undefined
    } catch (why) {
      if (!signal.aborted) error.value = why
    }
  }
  useEffect(() => {
    void load()
    return () => stop.current.abort()
  }, [])

  if (found.value === undefined)
    return error.value === undefined ? (
      <Loading rows={6} what="the results" />
    ) : (
      <Failed error={error.value} retry={load} />
    )
  if (found.value.length === 0) {
    return (
      <Empty icon="search" title="No results">
        A message must contain all of the words. Try fewer words, or only their beginnings.
      </Empty>
    )
  }
  return (
    <>
      <p class="hint" role="status">
        {found.value.length}
        {isMore.value
          ? ' or more messages, newest first'
          : found.value.length === 1
            ? ' message'
            : ' messages, newest first'}
      </p>
      <ul class="results">
        {found.value.map(({ message }) => (
          <li key={message.id}>
            <a href={href('messages', [message.id])}>
              <span class="row">
                <strong>
                  <bdi>{visibleLine(message.from, 64)}</bdi>
                </strong>
                <span class="hint">
                  to <bdi>{visibleLine(message.to.join(', '), 100)}</bdi>
                </span>
                <Intent of={message} />
                <span class="grow" />
                <Time at={message.sentAt} as="moment" />
              </span>
              <span class="excerpt" dir="auto">
                {missing(message) ?? <Marked text={message.body} query={q} />}
              </span>
            </a>
          </li>
        ))}
      </ul>
      {error.value !== undefined && <Failed error={error.value} retry={load} />}
      {isMore.value && error.value === undefined && <Button onClick={load}>Show older messages</Button>}
    </>
  )
}

/** The text around the first hit, with the hits marked. Only text nodes. */
function Marked({ text, query }: { text: string; query: string }) {
  const shown = visible(excerpt(text, query)).replace(/[\n\t]+/g, ' ')
  return <>{marked(shown, query).map(({ text, isHit }, index) => (isHit ? <mark key={index}>{text}</mark> : text))}</>
}
