import { setImmediate } from 'node:timers/promises'
import { type Cursor, formatCursor, type StreamEvent } from '../../protocol/events.ts'
import type { ProjectScope } from '../../protocol/projects.ts'
import { type Change, changesAfter } from '../state/query/changes.ts'
import { unreadCount } from '../state/query/inbox.ts'
import { isInScope } from '../state/query/projects.ts'
import type { State } from '../state/state.ts'
import type { Wakes } from './wakes.ts'

/** What an `inbox` event says. */
export type InboxNews = Extract<StreamEvent, { event: 'inbox' }>['data']

/** An event with the cursor to resume behind it. Only the last of several events with one seq has a cursor. */
export type Followed = { cursor?: string } & Exclude<StreamEvent, { event: 'presence' }>

/** How many changes are read at a time. */
const page = 100

export interface FollowOptions {
  onReady?: (cursor: string) => void
  scope?: ProjectScope
}

/**
 * Every change for `member` after `from`, old and new, in the order of the journal, until `signal` aborts. Without a cursor,
 * or with one of another history: all that is unread, then what comes. Backlog and live are one loop, so there is no gap between.
 * `onReady` is called once, where the backlog ends, with a cursor to resume from while nothing has happened. With `scope`, deliveries for
 * other projects are left out, and not counted.
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
  // Receipts of long ago are history, not news: a fresh follower hears of those that come.
  const oldestReceipt = resumed ? 0 : newest
  let tellReady = onReady
  using ear = wakes.listen(member, signal)
  while (!signal.aborted) {
    const heard = ear.take()
    // What was read from the store already may be heard of as well.
    for (const news of heard ?? []) {
      if (news.seq <= after) continue
      after = news.seq
      if (!isInScope(news.project, scope)) continue
      const data = scope === undefined ? news : { ...news, unread: unreadCount(state.db, member, scope) }
      yield { event: 'inbox', data, cursor: formatCursor({ epoch: state.position.epoch, seq: data.seq }) }
      if (signal.aborted) return
    }
    const changes =
      heard === undefined
        ? changesAfter(state.db, member, { deliveries: after, receipts: Math.max(after, oldestReceipt) }, page, scope)
        : []
    if (changes.length === 0) {
      // In one go with the empty page: whatever comes has a greater seq.
      if (heard === undefined) tellReady?.(formatCursor(state.position))
      if (heard === undefined) tellReady = undefined
      await ear.next()
      continue
    }
    // There may be more behind this page.
    ear.readAgain()
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
    // A reader that takes everything at once would have a long backlog read in one go, and all others wait.
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
