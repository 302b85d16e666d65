import { lookupForm } from '../../../protocol/names.ts'
import type { InboxSettings } from '../commands.ts'
import type { Database } from '../store/database.ts'
import { type MemberRow, memberById, memberMeant } from './find-member.ts'
import { readSettings } from './settings.ts'

/** Most members in the cache: far more than a hub has, so that only a flood of them fills it. */
const maxKept = 10_000

interface Known {
  /** Ids by name in lookup form, a member's own or an alias. */
  ids: Map<string, number>
  rows: Map<number, MemberRow>
  settings?: InboxSettings
  hasLater?: boolean
}

const kept = new WeakMap<Database, Known>()

/**
 * Returns the member that a typed name means, for a send that is being applied. Cached from one send to the next, since nearly everything a
 * hub reads for sends is the same few members. Code that changes a member must call `forgetMember` once the change is in the tables.
 */
export function knownMember(db: Database, typed: string): MemberRow | undefined {
  const { ids, rows } = knownIn(db)
  const name = lookupForm(typed)
  const row = rows.get(ids.get(name) ?? Number.NaN)
  if (row) return row
  const found = memberMeant(db, name)
  if (!found) return undefined
  if (ids.size >= maxKept) ids.clear()
  if (rows.size >= maxKept) rows.clear()
  ids.set(name, found.id)
  rows.set(found.id, found)
  return found
}

/** Returns the admin's settings, for a send that is being applied; cached. */
export function knownSettings(db: Database): InboxSettings {
  const known = knownIn(db)
  known.settings ??= readSettings(db)
  return known.settings
}

/** Reports whether any scheduled message, waiting or ended, has an id in use; cached. Code that writes to `later` must call `forgetMembers`. */
export function knowsLater(db: Database): boolean {
  const known = knownIn(db)
  known.hasLater ??= db.get('select 1 from later limit 1') !== undefined
  return known.hasLater
}

/** Returns the cached id of a name; undefined when it is not in the cache. */
export function knownId(db: Database, typed: string): number | undefined {
  return kept.get(db)?.ids.get(lookupForm(typed))
}

/**
 * Reports, usually without a query, that `member` has no unread message. Returns false if it may have some, or if queries may not read yet
 * what the cache knows: see `Database.readsOwnCommits`.
 */
export function hasNoUnread(db: Database, member: number): boolean {
  if (!db.readsOwnCommits) return false
  const { rows } = knownIn(db)
  const row = rows.get(member) ?? memberById(db, member)
  if (!row) return false
  if (rows.size >= maxKept) rows.clear()
  rows.set(member, row)
  return row.unread === 0
}

/** Updates the cached room of `row`, which a send has written to the tables. */
export function tookRoom(db: Database, row: MemberRow, { unread, bytes }: { unread: number; bytes: number }): void {
  if (kept.get(db)?.rows.get(row.id) === row) Object.assign(row, { unread, unreadBytes: bytes })
  else forgetMember(db, row.id)
}

/** Evicts a member whose row has changed, but not its names. */
export function forgetMember(db: Database, id: number): void {
  kept.get(db)?.rows.delete(id)
}

/** Empties the cache: anything may have changed, or a transaction was undone. */
export function forgetMembers(db: Database): void {
  kept.delete(db)
}

function knownIn(db: Database): Known {
  let known = kept.get(db)
  if (!known) {
    known = { ids: new Map(), rows: new Map() }
    kept.set(db, known)
  }
  return known
}
