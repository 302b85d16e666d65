import { type CommandOf, done, type Entry, type Outcome } from '../commands.ts'
import { memberById, memberMeant } from '../query/find-member.ts'
import { mutedBy } from '../query/members.ts'
import { refuseUnknown } from '../refusals.ts'
import type { Database } from '../store/database.ts'

type Policy = CommandOf<'member.policy'>

/** Sets a member's policy. Fields that the command leaves out stay; `mute` is the whole list. */
export function applyPolicy(db: Database, { command }: Entry<Policy>): Outcome<Policy> {
  const { by, inbound, mute } = command
  const muted: number[] = []
  for (const name of mute ?? []) {
    const sender = memberMeant(db, name)
    if (!sender) return refuseUnknown(name)
    muted.push(sender.id)
  }
  if (inbound !== undefined) db.run('update member set inbound = ? where id = ?', inbound, by)
  if (mute !== undefined) {
    db.run('delete from mute where member = ?', by)
    for (const sender of muted) db.run('insert or ignore into mute (member, sender) values (?, ?)', by, sender)
    db.run('update member set mutes = ? where id = ?', muted.length > 0 ? 1 : 0, by)
  }
  return done<Policy>({ inbound: memberById(db, by)!.inbound, mute: mutedBy(db, by) })
}
