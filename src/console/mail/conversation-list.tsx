import { effect, useSignal } from '@preact/signals'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { Conversation as Listed } from '../../protocol/conversations.ts'
import { visibleLine } from '../../text/visible.ts'
import { call } from '../api.ts'
import { live, onLive } from '../live.ts'
import { href } from '../router.ts'
import { who } from '../session.ts'
import { Badge, Count, Presence } from '../ui/badge.tsx'
import { Select } from '../ui/field.tsx'
import { Empty, Failed, Loading } from '../ui/states.tsx'
import { Line } from '../ui/text.tsx'
import { Time } from '../ui/time.tsx'
import { VirtualList } from '../ui/virtual-list.tsx'
import { memberCalled, useDirectory } from './directory.ts'
import { draftAt, draftsVersion, placeOf } from './drafts.ts'
import { outgoing } from './sends.ts'

/** Minimum time between two requests of the list, in ms. */
const restMs = 1000

/** All conversations that the reader may see, the newest first; `chosen` is the one that is open. */
export function ConversationList({ chosen }: { chosen?: readonly [of: string, other: string] | undefined }) {
  const me = who.value!
  const only = useSignal('')
  const list = useList(only.value)
  useDirectory()
  draftsVersion.value
  const owners = [...(me.role === 'admin' ? [] : [me.name]), ...me.owns]
  return (
    <div class="conversation-list">
      {owners.length > 1 && (
        <div class="filter">
          <Select
            label="Inbox"
            bare
            value={only.value}
            onInput={value => (only.value = value)}
            options={[
              ['', 'All inboxes'],
              ...owners.map(name => [name, name === me.name ? `${name} (me)` : name] as const),
            ]}
          />
        </div>
      )}
      {list.items.value === undefined ? (
        list.error.value === undefined ? (
          <Loading rows={8} what="the list of conversations" />
        ) : (
          <Failed error={list.error.value} retry={list.reload} />
        )
      ) : list.items.value.length === 0 ? (
        <Empty icon="conversations" title="No messages yet">
          {me.role === 'admin'
            ? 'Conversations between members appear here.'
            : 'Conversations appear here once you send or receive a message.'}
        </Empty>
      ) : (
        <VirtualList items={list.items.value} keyOf={keyOf} estimate={68} label="Conversations" onNearEnd={list.more}>
          {item => <ListRow item={item} me={me.name} isChosen={chosen?.[0] === item.of && chosen[1] === item.with} />}
        </VirtualList>
      )}
    </div>
  )
}

function keyOf({ of, with: other, kind }: Listed): string {
  return `${of}/${other}/${kind === 'group' ? 'group' : ''}`
}

function ListRow({ item, me, isChosen }: { item: Listed; me: string; isChosen: boolean }) {
  const { of, with: other, kind, lastAt, lastFrom, lastIntent, beginning, unread, openQuestions } = item
  const place = placeOf(of, other)
  const waits = outgoing.value.filter(each => each.place === place).length
  const member = memberCalled(other)
  return (
    <a
      class={`conversation-row ${isChosen ? 'chosen' : ''}`}
      href={href('conversations', [of, other])}
      aria-current={isChosen ? 'true' : undefined}
    >
      <span class="first">
        {member && <Presence online={member.online} />}
        <span class="name">
          {of !== me && (
            <span class="of">
              <bdi>{visibleLine(of, 64)}</bdi> ↔{' '}
            </span>
          )}
          <bdi>{visibleLine(other, 64)}</bdi>
        </span>
        {kind === 'group' && <Badge>group</Badge>}
        <span class="grow" />
        <Time at={lastAt} as="moment" />
      </span>
      <span class="second">
        <span class="beginning">
          {lastIntent === 'urgent' && <span class="urgent">urgent: </span>}
          {lastFrom !== other && <span>{lastFrom === me ? 'you' : visibleLine(lastFrom, 64)}: </span>}
          {beginning === undefined ? <i>text not shown</i> : <Line max={140}>{beginning}</Line>}
        </span>
        {waits > 0 && <Badge tone="warn">{waits} unsent</Badge>}
        {draftAt(place)?.body && <Badge tone="info">draft</Badge>}
        {openQuestions > 0 && (
          <Badge tone="info">
            {openQuestions} open {openQuestions === 1 ? 'request' : 'requests'}
          </Badge>
        )}
        <Count of={unread} noun="unread" />
      </span>
    </a>
  )
}

/** The loaded part of the list, kept up to date by at most one request per second. */
function useList(of: string) {
  const items = useSignal<readonly Listed[] | undefined>(undefined)
  const error = useSignal<unknown>(undefined)
  const state = useRef({ next: undefined as string | undefined, isMore: false, isBusy: false })

  const asked = useMemo(() => {
    let [timer, isStale, isOver] = [undefined as ReturnType<typeof setTimeout> | undefined, false, false]
    const query = of === '' ? {} : { of }
    const look = async () => {
      if (timer !== undefined) {
        isStale = true
        return
      }
      isStale = false
      timer = setTimeout(() => {
        timer = undefined
        if (isStale && !isOver) void look()
      }, restMs)
      try {
        const page = await call('listConversations', { query })
        if (isOver) return
        const rest = (items.peek() ?? []).slice(page.conversations.length)
        const fresh = new Set(page.conversations.map(keyOf))
        const isFirst = items.peek() === undefined || items.peek()!.length <= page.conversations.length
        items.value = [...page.conversations, ...(isFirst ? [] : rest.filter(item => !fresh.has(keyOf(item))))]
        if (isFirst) Object.assign(state.current, { next: page.next, isMore: page.more })
        error.value = undefined
      } catch (why) {
        if (!isOver) error.value = why
      }
    }
    const more = async () => {
      const { isMore, isBusy, next } = state.current
      if (!isMore || isBusy || isOver) return
      state.current.isBusy = true
      try {
        const page = await call('listConversations', { query: { ...query, before: next } })
        if (isOver) return
        const known = new Set(items.peek()!.map(keyOf))
        items.value = [...items.peek()!, ...page.conversations.filter(item => !known.has(keyOf(item)))]
        Object.assign(state.current, { next: page.next, isMore: page.more })
      } catch (why) {
        error.value = why
      } finally {
        state.current.isBusy = false
      }
    }
    const end = () => {
      isOver = true
      clearTimeout(timer)
    }
    return { look, more, end }
  }, [of])

  useEffect(() => {
    items.value = undefined
    state.current = { next: undefined, isMore: false, isBusy: false }
    void asked.look()
    const again = () => void asked.look()
    const stops = [
      onLive('traffic', again),
      onLive('change', ({ status }) => status === 'acked' && again()),
      onLive('reset', again),
      // Retry what failed once the hub is reachable again.
      effect(() => {
        if (live.value.state === 'open' && error.peek() !== undefined) again()
      }),
    ]
    return () => {
      asked.end()
      for (const stop of stops) stop()
    }
  }, [asked])

  return { items, error, reload: () => void asked.look(), more: () => void asked.more() }
}
