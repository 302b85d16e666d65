import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { api } from '../../protocol/api.ts'
import type { AnswerOf } from '../../protocol/routes/route.ts'
import { bytesInWords } from '../../text/bytes.ts'
import { call } from '../api.ts'
import { type Change, type Traffic, useLive } from '../live.ts'
import { href } from '../router.ts'
import { Badge } from '../ui/badge.tsx'
import { Name } from '../ui/name.tsx'
import { Panel } from '../ui/panel.tsx'
import { Empty, Loaded } from '../ui/states.tsx'
import { Line } from '../ui/text.tsx'
import { Time } from '../ui/time.tsx'
import { useAsk } from '../ui/use-ask.ts'
import { ownMembers } from './own-members.ts'

/** One message of the feed, and its last change. */
interface Item
  extends Pick<Traffic, 'id' | 'seq' | 'from' | 'to' | 'intent' | 'bytes' | 'sentAt' | 'replyTo' | 'beginning'> {
  became?: { status: Change['status']; recipient: string }
  isNew?: boolean
}

/** Most messages that the feed keeps. */
const maxItems = 40

type History = AnswerOf<(typeof api)['listMessages']>

function itemOf({ message, receipts }: History['messages'][number]): Item {
  const { id, seq, from, to, intent, body, bytes = 0, sentAt, replyTo, withheld } = message
  const last = receipts.findLast(({ status }) => status !== 'stored' && status !== 'refused')
  return {
    ...{ id, seq, from, to, intent, bytes, sentAt },
    ...(replyTo !== undefined && { replyTo }),
    ...(!withheld && { beginning: body.slice(0, 300) }),
    ...(last && { became: { status: last.status as Change['status'], recipient: last.name } }),
  }
}

/** Messages as they are sent, newest first. */
export function Feed() {
  const asked = useAsk(signal => call('listMessages', { query: { ...ownMembers(), limit: 20 }, signal }), [])
  const items = useSignal<readonly Item[]>([])
  const loaded = asked.value.value
  useEffect(() => {
    if (!loaded) return
    const known = loaded.messages.map(itemOf)
    const seen = new Set(known.map(({ id }) => id))
    items.value = [...items.peek().filter(({ id }) => !seen.has(id)), ...known]
      .sort((a, b) => b.seq - a.seq)
      .slice(0, maxItems)
  }, [loaded])
  useLive('traffic', message => {
    if (items.value.some(({ id }) => id === message.id)) return
    items.value = [{ ...message, isNew: true }, ...items.value].slice(0, maxItems)
  })
  useLive('change', ({ id, status, recipient }) => {
    const at = items.value.findIndex(item => item.id === id)
    if (at >= 0) items.value = items.value.with(at, { ...items.value[at]!, became: { status, recipient } })
  })
  useLive('reset', asked.reload)
  return (
    <Panel flush title="Latest messages" class="now-feed">
      <Loaded asked={asked} what="the latest messages">
        {() =>
          items.value.length === 0 ? (
            <Empty icon="conversations" title="No messages yet">
              Messages appear here as they are sent.
            </Empty>
          ) : (
            <ol>
              {items.value.map(item => (
                <FeedItem key={item.id} item={item} />
              ))}
            </ol>
          )
        }
      </Loaded>
    </Panel>
  )
}

const words = { fetched: 'shown to', told: 'notified', acked: 'acked by', expired: 'expired for' } as const

function FeedItem({ item }: { item: Item }) {
  const { id, from, to, intent, bytes, sentAt, beginning, became, replyTo, isNew } = item
  return (
    <li class={`feed-item ${isNew ? 'new' : ''}`}>
      <p class="feed-head">
        <span>
          <Name of={from} plain />
          <span class="hint">
            <span aria-hidden="true">→</span>
            <span class="hidden">to</span>
          </span>
          <Line max={80}>{to.join(', ')}</Line>
          {intent === 'urgent' && <Badge tone="bad">urgent</Badge>}
          {intent === 'request' && replyTo === undefined && <Badge tone="info">request</Badge>}
          {replyTo !== undefined && <Badge>answer</Badge>}
        </span>
        <span class="hint">
          <Time at={sentAt} as="moment" />
        </span>
      </p>
      <p class="feed-text">
        <a class="whole" href={href('messages', [id])}>
          {beginning === undefined ? (
            <span class="hint">{bytesInWords(bytes)}</span>
          ) : (
            <Line max={200}>{beginning}</Line>
          )}
        </a>
      </p>
      {became && (
        <p class={`hint became ${became.status}`}>
          {words[became.status]} <Name of={became.recipient} plain />
        </p>
      )}
    </li>
  )
}
