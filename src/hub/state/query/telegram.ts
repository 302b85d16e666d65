import type { Intent, MemberKind } from '../../../protocol/messages.ts'
import { isIntact } from '../content-hash.ts'
import { unreadSeqs } from '../local/inbox-index.ts'
import type { Database } from '../store/database.ts'
import { hubItself } from './find-member.ts'
import { damagedText } from './inbox.ts'

/** A message that waits for a person, or is unread at a machine. */
export interface Waiting {
  seq: number
  id: string
  /** Member id of the recipient. */
  recipient: number
  sender: number
  from: string
  fromKind: MemberKind
  /** Project of the sender, as its machine claims, and project of the recipient that it is for. */
  fromProject: string | null
  project: string | null
  intent: Intent
  replyTo: string | null
  /** Ms since 1970. */
  sentAt: number
  body: string
  /** 1 if it passes a mute or quiet hours only because it is urgent. */
  breaksQuiet: 0 | 1
}

const waitingColumns = `d.seq, m.id, d.recipient, m.sender, s.name as "from", s.kind as fromKind,
  m.from_project as fromProject, d.project, m.intent, m.reply_to as replyTo,
  m.sent_at as sentAt, m.body, m.named, m.expires_at as expiresAt, m.due_at as dueAt, m.hash`

/** Returns rows of `waitingColumns`, with `damagedText` for a text that the disk has damaged. */
function waiting(db: Database, sql: string, ...params: (number | string | null)[]): Waiting[] {
  const rows = db.all<Waiting & { named: string; expiresAt: number | null; dueAt: number | null; hash: Uint8Array }>(
    sql,
    ...params,
  )
  return rows.map(({ named, expiresAt, dueAt, hash, ...message }) => {
    const { body, sentAt: sent_at, replyTo: reply_to, intent } = message
    const isWhole = isIntact({ named, body, sent_at, reply_to, intent, expires_at: expiresAt, due_at: dueAt, hash })
    return isWhole ? message : { ...message, body: damagedText }
  })
}

/** SQL of the unread deliveries of member ?1 after seq ?2 as `d`, their messages as `m` and the senders as `s`. */
const unread = `(${unreadSeqs}) u join delivery d on d.seq = u.seq and d.recipient = ?1
  join message m on m.seq = u.seq join member s on s.id = m.sender`

/** SQL condition for messages that may be sent: neither from muted senders, nor permanently rejected by Telegram. */
const tellable = `u.handling is not 'mute'
  and not exists (select 1 from telegram_failed f where f.person = ?1 and f.seq = u.seq)`

const muted = `exists (select 1 from telegram_mute x where x.person = ?1 and x.sender in (0, m.sender)
  and x.since <= ?3 and x.until > ?3)`

/**
 * Returns messages of `person` that may be sent at `now` (ms since 1970), oldest first. During quiet hours, and from muted senders, only
 * urgent ones. A mute from the future (the clock was set back) does not count.
 */
export function messagesToSend(db: Database, person: number, now: number, isQuiet: boolean, limit: number): Waiting[] {
  return waiting(
    db,
    `select ${waitingColumns}, (?4 = 1 or ${muted}) as breaksQuiet from ${unread}
     where ${tellable} and (m.intent = 'urgent' or (?4 = 0 and not ${muted})) order by u.seq limit ?5`,
    ...[person, 0, now, isQuiet ? 1 : 0, limit],
  )
}

/** Returns urgent messages of `person` after a seq, oldest first. `breaksQuiet` as in `messagesToSend`. */
export function urgentMessagesFor(
  db: Database,
  person: number,
  { after, now, isQuiet, limit }: { after: number; now: number; isQuiet: boolean; limit: number },
): Waiting[] {
  return waiting(
    db,
    `select ${waitingColumns}, (?4 = 1 or ${muted}) as breaksQuiet from ${unread}
     where ${tellable} and m.intent = 'urgent' order by u.seq limit ?5`,
    ...[person, after, now, isQuiet ? 1 : 0, limit],
  )
}

/**
 * Returns unread messages of `machine` after a seq, oldest first, that are news to its owner: without those that they wrote, that were sent
 * to them, too, that they were notified of for another machine of theirs, and that the hub wrote. With `ofProjects`, only those for a
 * project not in `except` that were sent after `since`.
 */
export function unreadOf(
  db: Database,
  machine: number,
  {
    after,
    owner,
    limit,
    ofProjects,
  }: { after: number; owner: number; limit: number; ofProjects?: { except: string[]; since: number } },
): Waiting[] {
  return waiting(
    db,
    `select ${waitingColumns}, 0 as breaksQuiet from ${unread}
     where ${tellable} and (?5 is null or (u.project not in (select value from json_each(?5)) and m.sent_at > ?6)) and m.sender not in (?3, ${hubItself})
       and not exists (select 1 from delivery o where o.recipient = ?3 and o.seq = u.seq)
       and not exists (select 1 from telegram_route r join member o on o.id = r.machine
         where r.seq = u.seq and r.kind = 'notice' and o.owner = ?3)
     order by u.seq limit ?4`,
    ...[machine, after, owner, limit],
    ...(ofProjects ? [JSON.stringify(ofProjects.except), ofProjects.since] : [null, null]),
  )
}

/** Returns the names of the first machines of `owner`, other than `machine`, at which the message with this seq is unread. */
export function unreadElsewhere(db: Database, seq: number, owner: number, machine: number): string[] {
  return db
    .all<{ name: string }>(
      `select m.name from member m join delivery d on d.recipient = m.id and d.seq = ?1
       where m.owner = ?2 and m.id <> ?3 and d.acked_at is null and d.expired_at is null order by m.name limit 10`,
      ...[seq, owner, machine],
    )
    .map(({ name }) => name)
}

/**
 * Returns messages of the hub itself to `machine` after a seq and a time (ms since 1970), read or not, oldest first: for example that it
 * stopped a loop. They are few, so they are searched by sender.
 */
export function saidByHub(db: Database, machine: number, after: number, since: number): Waiting[] {
  return waiting(
    db,
    `select ${waitingColumns}, 0 as breaksQuiet
     from (select seq from (${unreadSeqs}) union
       select seq from delivery indexed by delivery_changed
       where sender = ${hubItself} and changed is not null and recipient = ?1 and seq > ?2) u
     join delivery d on d.seq = u.seq and d.recipient = ?1
     join message m on m.seq = u.seq join member s on s.id = m.sender
     where m.sender = ${hubItself} and m.sent_at > ?3 order by u.seq limit 10`,
    ...[machine, after, since],
  )
}

/** Returns the last unread messages of `member`, newest first. */
export function newestUnread(db: Database, member: number, limit: number): Waiting[] {
  return waiting(
    db,
    `select ${waitingColumns}, 0 as breaksQuiet from ${unread} order by u.seq desc limit ?3`,
    ...[member, 0, limit],
  )
}

/** Returns the number of messages that wait for `person`, held back or not, and the time of the oldest (ms since 1970). */
export function mailCount(db: Database, person: number): { count: number; oldestAt: number | null } {
  return db.get(
    `select x.count, m.sent_at as oldestAt
     from (select count(*) as count, min(u.seq) as seq from (${unreadSeqs}) u where ${tellable}) x
     left join message m on m.seq = x.seq`,
    person,
    0,
  )!
}

/** A machine with an owner. */
export interface OwnedMachine {
  machine: number
  name: string
  owner: number
  unread: number
  /** Number of unread messages for projects of the machine. */
  projectUnread: number
  /** In seconds; -1 for never, null for the configured time. */
  afterS: number | null
  toldSeq: number
  /** The same for messages of the hub itself. */
  toldHub: number
  /** 1 if its owner is notified of permission prompts that wait there. */
  tellsPrompts: 0 | 1
}

/** Returns the machines that have an owner, by name; `unread` is read from its column, not counted. */
export function ownedMachines(db: Database): OwnedMachine[] {
  return db.all<OwnedMachine>(
    `select m.id as machine, m.name, m.owner, m.unread, m.project_unread as projectUnread, f.after_s as afterS, coalesce(f.told_seq, 0) as toldSeq,
       coalesce(f.told_hub, 0) as toldHub, coalesce(f.tells_prompts, 1) as tellsPrompts
     from member m left join telegram_follow f on f.machine = m.id
     where m.owner is not null and m.deleted_at is null order by m.name`,
  )
}

/** Reports whether the owner of `machine` was notified of the prompt with this id. */
export function isPromptTold(db: Database, machine: number, prompt: string): boolean {
  return db.get('select 1 from telegram_prompt where machine = ? and prompt = ?', machine, prompt) !== undefined
}

/**
 * Returns the number of prompts of `machine` that its owner was notified of after `since` and up to `now`, in ms since 1970, so that those
 * dated in the future (the clock was set back) do not count.
 */
export function promptsTold(db: Database, machine: number, since: number, now: number): number {
  const sql = 'select count(*) as n from telegram_prompt where machine = ? and at > ? and at <= ?'
  return db.get<{ n: number }>(sql, machine, since, now)!.n
}

/** A message of the hub that a Telegram message represents. */
export interface Route {
  kind: 'out' | 'notice' | 'in'
  seq: number
  id: string
  /** Its sender. */
  sender: number
  from: string
  /** Names of its recipients, as JSON. */
  named: string
  /** Of a notice: the machine that has the messages. */
  machine: number | null
  /** Ms since 1970. */
  at: number
}

/**
 * Returns the messages that the Telegram message `message` of `chat` stands for, in the order sent: several for a digest, none when it is
 * unknown.
 */
export function routesOf(db: Database, chat: number, message: number): Route[] {
  return db.all<Route>(
    `select r.kind, r.seq, m.id, m.sender, s.name as "from", m.named, r.machine, r.at
     from telegram_route r join message m on m.seq = r.seq join member s on s.id = m.sender
     where r.chat = ? and r.message = ? order by r.seq`,
    chat,
    message,
  )
}

/** Returns the number of parts of a message that Telegram has accepted in this chat, and the number of all. */
export function partsSent(db: Database, chat: number, seq: number): { part: number; parts: number } | undefined {
  return db.get(
    `select part, parts from telegram_route where seq = ? and chat = ? and kind = 'out' order by part desc limit 1`,
    seq,
    chat,
  )
}

/** Returns the Telegram message in `chat` by which a person sent the message `id`, or undefined. */
export function writtenAs(db: Database, chat: number, id: string): number | undefined {
  return db.get<{ message: number }>(
    `select r.message from message m join telegram_route r on r.seq = m.seq and r.chat = ? and r.kind = 'in'
     where m.id = ?`,
    chat,
    id,
  )?.message
}

/** Returns the times at which messages were sent to `chat` after `since`, oldest first, in ms since 1970, from which its pace continues. */
export function sentSince(db: Database, chat: number, since: number): number[] {
  return db
    .all<{ at: number }>(
      `select min(at) as at from telegram_route indexed by telegram_route_age
       where at > ? and chat = ? and kind <> 'in' group by message order by 1`,
      since,
      chat,
    )
    .map(({ at }) => at)
}

/** Returns Telegram messages that people wrote after `since` that every recipient has acked, and that do not show it yet. */
export function ackedUnshown(db: Database, since: number): { chat: number; message: number }[] {
  return db.all(
    `select r.chat, r.message from telegram_route r indexed by telegram_route_waits
     where r.kind = 'in' and r.shown = 0 and r.at > ?
       and exists (select 1 from delivery d join message m on m.seq = d.seq, json_each(m.outcome) o
         where m.seq = r.seq and d.recipient = o.value ->> 'member')
       and not exists (select 1 from message m, json_each(m.outcome) o
         join delivery d on d.recipient = o.value ->> 'member' and d.seq = m.seq
         where m.seq = r.seq and d.acked_at is null)
     order by r.at`,
    since,
  )
}

export interface UpdateRow {
  update: number
  kind: 'message' | 'edit' | 'press'
  chat: number
  message: number
  content: string
  at: number
}

/** Returns the updates that are not handled yet, in the order of arrival. */
export function updatesToHandle(db: Database, limit: number): UpdateRow[] {
  return db.all<UpdateRow>(
    `select update_id as "update", kind, chat, message, content, at from telegram_update indexed by telegram_to_handle
     where content is not null order by arrival limit ?`,
    limit,
  )
}

export interface PersonRow {
  user: number | null
  candidate: number | null
  candidateName: string | null
  candidateAt: number | null
  isPrivate: 0 | 1 | null
}

/** Returns the stored data of a person on Telegram. */
export function personOf(db: Database, person: number): PersonRow | undefined {
  return db.get(
    `select user_id as user, candidate_id as candidate, candidate_name as candidateName, candidate_at as candidateAt,
       is_private as isPrivate from telegram_person where person = ?`,
    person,
  )
}

/** Returns the senders that `person` has muted at `now`; a null name is everyone. */
export function mutesOf(db: Database, person: number, now: number): { name: string | null; until: number }[] {
  return db.all(
    `select s.name, x.until from telegram_mute x left join member s on s.id = x.sender
     where x.person = ?1 and x.since <= ?2 and x.until > ?2 order by s.name`,
    person,
    now,
  )
}

/** Returns unread messages that Telegram has permanently rejected, newest first. */
export function failedMail(db: Database, limit: number): { seq: number; name: string; why: string }[] {
  return db.all(
    `select f.seq, p.name, f.why from telegram_failed f join member p on p.id = f.person
     join delivery d on d.recipient = f.person and d.seq = f.seq
     where d.acked_at is null and d.expired_at is null order by f.seq desc limit ?`,
    limit,
  )
}

/** Returns the current id of the group that once had the id `chat`. */
export function chatNow(db: Database, chat: number): number {
  let now = chat
  // The limit ends a cycle of moves, too.
  for (let moves = 0; moves < 10; moves++) {
    const row = db.get<{ to: number }>('select to_chat as "to" from telegram_move where from_chat = ?', now)
    if (!row || row.to === chat) return now
    now = row.to
  }
  return now
}

/** Returns the content of a question that is still valid at `now`, and its person. */
export function choiceOf(db: Database, key: string, now: number): { person: number; content: string } | undefined {
  return db.get('select person, content from telegram_choice where key = ? and until > ?', key, now)
}

/** Returns the sender of the message with this id; undefined when there is none. */
export function senderOf(db: Database, id: string): number | undefined {
  const sql = 'select sender from message where id = ?1 union all select sender from later where id = ?1'
  return db.get<{ sender: number }>(sql, id)?.sender
}

/** Returns the id of the message with this seq, or undefined. */
export function messageIdAt(db: Database, seq: number): string | undefined {
  return db.get<{ id: string }>('select id from message where seq = ?', seq)?.id
}
