import { type Command, type DatedEntry, done, type Effects, NewerEntry, type Outcome } from '../commands.ts'
import { refuse } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import type { TelegramCommand } from '../telegram-commands.ts'
import { ackDeliveries } from './inbox.ts'
import { limits } from './limits.ts'

type Of<Type extends TelegramCommand['type']> = DatedEntry<Extract<TelegramCommand, { type: Type }>>

export function isTelegram(command: Command): command is TelegramCommand {
  return command.type.startsWith('telegram.')
}

/** Carries out one command of the bridge. Most have no result: the bridge reads by its own queries. */
export function applyTelegram(db: Database, entry: DatedEntry<TelegramCommand>): Outcome {
  const { seq, time, steady, command } = entry
  switch (command.type) {
    case 'telegram.receive':
      return receive(db, { seq, time, steady, command })
    case 'telegram.handled':
      return handled(db, { seq, time, steady, command })
    case 'telegram.sent':
      return done({}, sent(db, { seq, time, steady, command }))
    case 'telegram.told':
      return told(db, { seq, time, steady, command })
    case 'telegram.viewed':
      return viewed(db, { seq, time, steady, command })
    case 'telegram.shown':
      db.run(`update telegram_route set shown = 1 where chat = ? and message = ?`, command.chat, command.message)
      return done({})
    case 'telegram.failed':
      return failed(db, { seq, time, steady, command })
    case 'telegram.candidate':
      db.run(
        `insert into telegram_person (person, candidate_id, candidate_name, candidate_at) values (?1, ?2, ?3, ?4)
         on conflict (person) do update set candidate_id = ?2, candidate_name = ?3, candidate_at = ?4`,
        ...[command.person, command.user, command.name, time],
      )
      return done({})
    case 'telegram.confirm':
      return confirm(db, { seq, time, steady, command })
    case 'telegram.place':
      db.run(
        `insert into telegram_person (person, is_private) values (?1, ?2)
         on conflict (person) do update set is_private = ?2`,
        ...[command.person, command.isPrivate ? 1 : 0],
      )
      return done({})
    case 'telegram.mute':
      return mute(db, { seq, time, steady, command })
    case 'telegram.follow':
      db.run(
        `insert into telegram_follow (machine, after_s) values (?1, ?2)
         on conflict (machine) do update set after_s = ?2`,
        ...[command.machine, command.afterS],
      )
      return done({})
    case 'telegram.prompts':
      db.run(
        `insert into telegram_follow (machine, tells_prompts) values (?1, ?2)
         on conflict (machine) do update set tells_prompts = ?2`,
        ...[command.machine, command.areTold ? 1 : 0],
      )
      return done({})
    case 'telegram.prompted':
      db.run('delete from telegram_prompt where steady < ?', steady - limits.promptLifeMs)
      db.run(
        'insert or ignore into telegram_prompt (machine, prompt, at, steady) values (?, ?, ?, ?)',
        ...[command.machine, command.prompt, time, steady],
      )
      return done({})
    case 'telegram.move':
      db.run(
        'insert into telegram_move (from_chat, to_chat) values (?1, ?2) on conflict (from_chat) do update set to_chat = ?2',
        ...[command.from, command.to],
      )
      return done({})
    case 'telegram.ask':
      db.run('delete from telegram_choice where until <= ?', past(entry))
      db.run(
        'insert or ignore into telegram_choice (key, person, content, until) values (?, ?, ?, ?)',
        ...[command.key, command.person, command.content, time + command.lifeS * 1000],
      )
      return done({})
    default:
      throw new NewerEntry(`unknown command ${(command as Command).type}`)
  }
}

/**
 * Returns the earlier of the two clocks' times. Data older than that is over by both, so that neither a step of the wall clock nor its
 * return deletes anything early.
 */
function past({ time, steady }: { time: number; steady: number }): number {
  return Math.min(time, steady)
}

function receive(db: Database, { time, steady, command }: Of<'telegram.receive'>): Outcome {
  for (const { update, kind, chat, message, content } of command.updates) {
    db.run(
      `insert or ignore into telegram_update (update_id, kind, chat, message, content, at) values (?, ?, ?, ?, ?, ?)`,
      ...[update, kind, chat, message, content, time],
    )
  }
  db.run('delete from telegram_update where content is null and at < ?', past({ time, steady }) - limits.updateLifeMs)
  return done({})
}

function handled(db: Database, { time, command }: Of<'telegram.handled'>): Outcome {
  const row = db.get<{ kind: string; chat: number; message: number }>(
    'select kind, chat, message from telegram_update where update_id = ?',
    command.update,
  )
  if (!row) return done({})
  db.run('update telegram_update set content = null where update_id = ?', command.update)
  const seq = command.sent === undefined ? undefined : seqOf(db, command.sent)
  // The message of a button press is the question, not a message of the person.
  if (seq !== undefined && row.kind === 'message') {
    addRoute(db, { ...row, seq, kind: 'in', machine: null, part: 1, parts: 1, at: time })
  }
  return done({})
}

function sent(db: Database, { seq: at, time, steady, command }: Of<'telegram.sent'>): Effects {
  const { chat, message, part, parts } = command
  const wake: number[] = []
  db.run('delete from telegram_route where at < ?', past({ time, steady }) - limits.routeLifeMs)
  for (const { person, ids } of command.to) {
    for (const id of ids) {
      const seq = seqOf(db, id)
      if (seq === undefined) continue
      addRoute(db, { chat, message, seq, kind: 'out', machine: null, part, parts, at: time })
    }
    if (part === parts) wake.push(...ackDeliveries(db, { seq: at, time }, person, ids).senders)
  }
  return { wake }
}

function told(db: Database, { time, command }: Of<'telegram.told'>): Outcome {
  const { of, chat, message, machine, ids, upTo } = command
  for (const id of ids) {
    const seq = seqOf(db, id)
    if (seq !== undefined) addRoute(db, { chat, message, seq, kind: 'notice', machine, part: 1, parts: 1, at: time })
  }
  db.run(
    `insert into telegram_follow (machine, told_seq, told_hub) values (?1, ?2, ?3)
     on conflict (machine) do update set told_seq = max(told_seq, ?2), told_hub = max(told_hub, ?3)`,
    ...[machine, of === 'mail' ? upTo : 0, of === 'hub' ? upTo : 0],
  )
  return done({})
}

/** Stored as a notice without a machine: it does not notify anyone of unread messages. */
function viewed(db: Database, { time, command }: Of<'telegram.viewed'>): Outcome {
  const { chat, message, ids } = command
  for (const id of ids) {
    const seq = seqOf(db, id)
    if (seq !== undefined) {
      addRoute(db, { chat, message, seq, kind: 'notice', machine: null, part: 1, parts: 1, at: time })
    }
  }
  return done({})
}

function failed(db: Database, { time, command }: Of<'telegram.failed'>): Outcome {
  const seq = seqOf(db, command.id)
  if (seq !== undefined) {
    db.run(
      'insert or replace into telegram_failed (person, seq, why, at) values (?, ?, ?, ?)',
      ...[command.person, seq, command.why, time],
    )
  }
  return done({})
}

function confirm(db: Database, { command }: Of<'telegram.confirm'>): Outcome {
  const { person, user } = command
  const row = db.get<{ candidate: number | null }>(
    'select candidate_id as candidate from telegram_person where person = ?',
    person,
  )
  if (user !== null && row?.candidate !== user) {
    return refuse('conflict', { code: 'not_seen_last', user })
  }
  const other =
    user === null ? undefined : db.get('select 1 from telegram_person where user_id = ? and person <> ?', user, person)
  if (other) return refuse('conflict', { code: 'user_taken', user: user! })
  db.run(
    'update telegram_person set user_id = ?, candidate_id = null, candidate_name = null, candidate_at = null where person = ?',
    ...[user, person],
  )
  return done({ user })
}

function mute(db: Database, { time, steady, command }: Of<'telegram.mute'>): Outcome {
  const { person, sender, spanS } = command
  db.run(
    'delete from telegram_mute where person = ? and (sender = ? or until <= ?)',
    ...[person, sender, past({ time, steady })],
  )
  if (spanS === 0) return done({ until: null })
  const until = time + spanS * 1000
  db.run('insert into telegram_mute (person, sender, since, until) values (?, ?, ?, ?)', person, sender, time, until)
  return done({ until })
}

interface RouteRow {
  chat: number
  message: number
  seq: number
  kind: 'out' | 'notice' | 'in'
  machine: number | null
  part: number
  parts: number
  at: number
}

function addRoute(db: Database, { chat, message, seq, kind, machine, part, parts, at }: RouteRow): void {
  db.run(
    `insert or ignore into telegram_route (chat, message, seq, kind, machine, part, parts, at) values (?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[chat, message, seq, kind, machine, part, parts, at],
  )
}

function seqOf(db: Database, id: string): number | undefined {
  return db.get<{ seq: number }>('select seq from message where id = ?', id)?.seq
}
