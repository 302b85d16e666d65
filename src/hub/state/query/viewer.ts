import { ClaudeNetError } from '../../../protocol/errors.ts'
import type { Database } from '../store/database.ts'

/** A viewer of messages: a member, or an admin, whose `member` is 0. `readsTexts` is true if an admin is shown texts. */
export interface Viewer {
  member: number
  readsTexts: boolean
}

/** The members whose messages are read; `all` only for an admin. */
export type Eyes = ReadonlySet<number> | 'all'

/** Returns the members whose messages `viewer` may see: itself, and machines that it owns now. An admin sees all. */
export function eyesOf(db: Database, { member }: Viewer): Eyes {
  return member === 0 ? 'all' : new Set([member, ...ownedBy(db, member)])
}

/** Returns the machines that `member` owns now. */
export function ownedBy(db: Database, member: number): number[] {
  return db
    .all<{ id: number }>('select id from member where owner = ? and deleted_at is null order by id', member)
    .map(({ id }) => id)
}

/**
 * Returns the requested members `of`, or all that `viewer` may see when it is undefined. Throws `forbidden` when it may not see one of
 * them.
 */
export function eyesFor(db: Database, viewer: Viewer, of: readonly number[] | undefined): Eyes {
  const eyes = eyesOf(db, viewer)
  if (of === undefined) return eyes
  const hidden = eyes === 'all' ? undefined : of.find(member => !eyes.has(member))
  if (hidden !== undefined) throw notYours(db, hidden)
  return new Set(of)
}

/** Reports whether `viewer` is shown the texts of messages. */
export function readsTexts({ member, readsTexts }: Viewer): boolean {
  return member !== 0 || readsTexts
}

export function sees(eyes: Eyes, member: number): boolean {
  return eyes === 'all' || eyes.has(member)
}

function notYours(db: Database, member: number): ClaudeNetError {
  const name = db.get<{ name: string }>('select name from member where id = ?', member)?.name ?? 'this member'
  return new ClaudeNetError(
    'forbidden',
    `You may not see the messages of ${name}.`,
    'You see your own messages and those of machines that you own; GET /v1/machines names their owners.',
  )
}
