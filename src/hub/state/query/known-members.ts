import { lookupForm } from '../../../protocol/names.ts'
import type { InboxSettings } from '../commands.ts'
import type { Database } from '../store/database.ts'
import { type MemberRow, memberMeant } from './find-member.ts'
import { readSettings } from './settings.ts'

/** Most members that are kept: far more than a hub has, so that only a flood of them fills it. */
const maxKept = 10_000

interface Known {
  /** By name in lookup form: a member's own, or an alias. */
  ids: Map<string, number>
  rows: Map<number, MemberRow>
  settings?: InboxSettings
  hasLater?: boolean
}

const kept = new WeakMap<Database, Known>()

/**
 * The member whom one typed name means, for a send that is being applied: kept from one send to the next, because nearly all that a
 * hub reads for sends is the same few members. Whatever changes a member is to forget it, once that is in the tables.
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

/** What the admin has set, for a send that is being applied. */
export function knownSettings(db: Database): InboxSettings {
  const known = knownIn(db)
  known.settings ??= readSettings(db)
  return known.settings
}

/** Whether there is any later mail, waiting or ended, whose ids are bound. Whatever writes there is to forget it. */
export function knowsLater(db: Database): boolean {
  const known = knownIn(db)
  known.hasLater ??= db.get('select 1 from later limit 1') !== undefined
  return known.hasLater
}

/** The id that a name had for the last send to it; undefined when that is not known any more. */
export function knownId(db: Database, typed: string): number | undefined {
  return kept.get(db)?.ids.get(lookupForm(typed))
}

/** The room that `row`, which a send has found, has taken in the tables. */
export function tookRoom(db: Database, row: MemberRow, { unread, bytes }: { unread: number; bytes: number }): void {
  if (kept.get(db)?.rows.get(row.id) === row) Object.assign(row, { unread, unreadBytes: bytes })
  else forgetMember(db, row.id)
}

/** What one member holds has changed, but not its names. */
export function forgetMember(db: Database, id: number): void {
  kept.get(db)?.rows.delete(id)
}

/** Anything may have changed, or what was applied was undone. */
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
