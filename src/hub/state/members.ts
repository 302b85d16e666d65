import { closest, distance } from 'fastest-levenshtein'
import type { MemberKind } from '../../protocol/messages.ts'
import { everyone, lookupForm } from '../../protocol/names.ts'
import type { Database } from './database.ts'

export interface MemberRow {
  id: number
  name: string
  kind: MemberKind
}

export function memberByName(db: Database, name: string): MemberRow | undefined {
  return db.get<MemberRow>('select id, name, kind from member where name = ?', name)
}

export function memberById(db: Database, id: number): MemberRow | undefined {
  return db.get<MemberRow>('select id, name, kind from member where id = ?', id)
}

/** Every machine but `except`, by name. */
export function otherMachines(db: Database, except: number): MemberRow[] {
  return db.all<MemberRow>(`select id, name, kind from member where kind = 'machine' and id <> ? order by name`, except)
}

/**
 * Who is meant by the names that `sender` wrote: each member once, in the order named. `unknown` lists the names that mean
 * nobody.
 */
export function resolveNames(
  db: Database,
  sender: number,
  typed: string[],
): { members: MemberRow[]; unknown: string[] } {
  const members = new Map<number, MemberRow>()
  const unknown: string[] = []
  for (const name of typed) {
    const found = lookUp(db, sender, lookupForm(name))
    if (!found) unknown.push(name)
    for (const member of found ?? []) members.set(member.id, member)
  }
  return { members: [...members.values()], unknown }
}

/** Names that the typed one may have been meant to be, nearest first, three at most. */
export function nearestNames(db: Database, typed: string): string[] {
  const wanted = lookupForm(typed).slice(0, 64)
  const names = db.all<{ name: string }>('select name from member order by name').map(row => row.name)
  const likely = names.filter(name => isLikely(wanted, name))
  if (likely.length === 0 && names.length > 0) {
    const nearest = closest(wanted, names)
    return distance(wanted, nearest) <= wanted.length / 2 ? [nearest] : []
  }
  return likely.sort((a, b) => distance(wanted, a) - distance(wanted, b) || (a < b ? -1 : 1)).slice(0, 3)
}

function lookUp(db: Database, sender: number, name: string): MemberRow[] | undefined {
  if (name === everyone) return otherMachines(db, sender)
  const member = memberByName(db, name)
  return member && [member]
}

/** A slip of the finger (up to a third of the letters), or a person's name for the machine that starts with it. */
function isLikely(wanted: string, name: string): boolean {
  if (wanted.length >= 3 && (name.startsWith(wanted) || wanted.startsWith(name))) return true
  return distance(wanted, name) <= Math.max(1, Math.floor(Math.max(wanted.length, name.length) / 3))
}
