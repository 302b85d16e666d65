import { setImmediate } from 'node:timers/promises'
import { type Cursor, formatCursor, type StreamEvent } from '../../protocol/events.ts'
import type { ProjectScope } from '../../protocol/projects.ts'
import { type Change, changesAfter } from '../state/query/changes.ts'
import { unreadCount } from '../state/query/inbox.ts'
import { isInScope } from '../state/query/projects.ts'
import type { State } from '../state/state.ts'
import type { Wakes } from './wakes.ts'

/** Data of an `inbox` event. */
export type InboxNews = Extract<StreamEvent, { event: 'inbox' }>['data']

/** An event with the cursor to resume after it. Of several events with the same seq only the last has a cursor. */
export type Followed = { cursor?: string } & Exclude<StreamEvent, { event: 'presence' }>

/** Changes read from the store at a time. */
const page = 100

export interface FollowOptions {
  onReady?: (cursor: string) => void
  scope?: ProjectScope
}

/**
 * Yields every change for `member` after `from`, old and new, in journal order, until `signal` aborts. Without a cursor, or with one of
 * another history, yields all unread messages and then new changes. One loop reads both the backlog and live changes, so there is no gap
 * between them. `onReady` is called once, at the end of the backlog, with a cursor to resume from before any event has arrived. With
 * `scope`, deliveries for other projects are neither yielded nor counted.
 */
export async function* follow(
  state: State,
  wakes: Wakes<InboxNews>,
  member: number,
  from: Cursor | undefined,
  signal: AbortSignal,
  { onReady, scope }: FollowOptions = {},
): AsyncGenerator<Followed> {
  const { seq: newest } = state.position
  const resumedAfter = from && state.seqOf(from)
  const resumed = resumedAfter !== undefined
  let after = resumedAfter ?? 0
  // Old receipts are history, not news: a new follower receives only those that arrive from now on.
  const oldestReceipt = resumed ? 0 : newest
  let tellReady = onReady
  using subscription = wakes.subscribe(member, signal)
  while (!signal.aborted) {
    const received = subscription.take()
    // News may repeat changes that were already read from the store.
    for (const news of received ?? []) {
      if (news.seq <= after) continue
      after = news.seq
      if (!isInScope(news.project, scope)) continue
      const data = scope === undefined ? news : { ...news, unread: unreadCount(state.db, member, scope) }
      yield { event: 'inbox', data, cursor: formatCursor({ epoch: state.position.epoch, seq: data.seq }) }
      if (signal.aborted) return
    }
    const changes =
      received === undefined
        ? changesAfter(state.db, member, { deliveries: after, receipts: Math.max(after, oldestReceipt) }, page, scope)
        : []
    if (changes.length === 0) {
      // In the same tick as the empty page, so every later change has a greater seq.
      if (received === undefined) tellReady?.(formatCursor(state.position))
      if (received === undefined) tellReady = undefined
      await subscription.next()
      continue
    }
    // There may be more after this page.
    subscription.readAgain()
    const unread = unreadCount(state.db, member, scope)
    for (const [index, change] of changes.entries()) {
      after = change.seq
      const isLast = changes[index + 1]?.seq !== change.seq
      yield {
        ...toEvent(change, unread),
        ...(isLast && { cursor: formatCursor({ epoch: state.position.epoch, seq: change.seq }) }),
      }
      if (signal.aborted) return
    }
    // Yields to other readers: a long backlog would otherwise be read without a pause.
    if (changes.length >= page) await setImmediate()
  }
}

function toEvent(change: Change, unread: number): Exclude<StreamEvent, { event: 'presence' }> {
  const { seq, id } = change
  if (change.kind === 'delivery') {
    const { kind, ...delivery } = change
    return { event: 'inbox', data: { ...delivery, unread } }
  }
  const { recipient, status, at, noticed } = change
  return { event: 'receipt', data: { seq, id, recipient, status, at, ...(noticed && { noticed }) } }
}
