import { type CommandOf, done, type Entry, type Outcome } from '../commands.ts'
import { activeBrake } from '../query/brakes.ts'
import { type MemberRow, memberById, memberMeant } from '../query/find-member.ts'
import { refuseUnknown } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { storeNotice } from './notice.ts'

type BrakeCommand = CommandOf<'pair.brake'>
type Release = CommandOf<'pair.release'>

/**
 * Stops messages between two members until the command's end, and puts one notice of it into the inbox of `to`. Does nothing for a pair
 * that is braked already: several hubs may have noticed the same loop.
 */
export function applyBrake(db: Database, { seq, time, command }: Entry<BrakeCommand>): Outcome<BrakeCommand> {
  const { from, to, until, why, notice } = command
  if (until <= time || activeBrake(db, from, to, time)) return done<BrakeCommand>({ isNew: false })
  db.run('delete from brake where until <= ?', time)
  db.run(
    `insert into brake (low, high, since, until, why) values (?1, ?2, ?3, ?4, ?5)
     on conflict (low, high) do update set since = ?3, until = ?4, why = ?5`,
    Math.min(from, to),
    Math.max(from, to),
    time,
    until,
    why,
  )
  db.run('update member set braked_until = max(braked_until, ?) where id in (?, ?)', until, from, to)
  const recipient = memberById(db, to)
  if (recipient) storeNotice(db, { seq, time }, recipient, notice)
  return done<BrakeCommand>({ isNew: true }, { wake: [to] })
}

/** Ends the brake between two members, if there is one. */
export function applyRelease(db: Database, { time, command }: Entry<Release>): Outcome<Release> {
  const pair = [command.one, command.other].map(name => ({ name, member: memberMeant(db, name) }))
  const unknown = pair.find(({ member }) => !member)
  if (unknown) return refuseUnknown(unknown.name)
  const [one, other] = pair.map(({ member }) => member!) as [MemberRow, MemberRow]
  const lifted = activeBrake(db, one.id, other.id, time) !== undefined
  db.run('delete from brake where low = ? and high = ?', Math.min(one.id, other.id), Math.max(one.id, other.id))
  return done<Release>({ between: [one.name, other.name], lifted })
}
