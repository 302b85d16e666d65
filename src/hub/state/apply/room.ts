import type { InboxSettings } from '../commands.ts'
import { unreadSeqs } from '../local/inbox-index.ts'
import type { MemberRow } from '../query/find-member.ts'
import { forgetMember, knownSettings, tookRoom } from '../query/known-members.ts'
import type { NotTaken } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { limits } from './limits.ts'

/**
 * The room of one inbox, and the part of it that each sender may take. Stored messages are never dropped to make room.
 *
 *   up to `inboxMessages`, `inboxBytes`   all of it
 *   `senderPercent` of that               one sender
 *   the last `reservePercent`             senders who have little there; the first two thirds of it also urgent messages
 *
 * The messages of each sender in an inbox are counted (`inbox_share`) only once a tenth of its room is taken: most inboxes never get there,
 * and their senders do not pay for it.
 */

const { alwaysMessages, alwaysBytes, countedFromPercent, countedDownToPercent, smallPart, urgentDivisor } = limits

interface Amount {
  unread: number
  bytes: number
}

/** Returns the reason why `recipient` has no room for `bytes` more of `sender`; undefined when it has. */
export function whyNoRoom(
  db: Database,
  recipient: MemberRow,
  { sender, bytes, isUrgent }: { sender: number; bytes: number; isUrgent: boolean },
): NotTaken | undefined {
  const { unread, unreadBytes } = recipient
  if (unread < alwaysMessages && unreadBytes + bytes <= alwaysBytes) return undefined
  const settings = knownSettings(db)
  const used = percentOf(settings, { unread: unread + 1, bytes: unreadBytes + bytes })
  const reserve = settings.reservePercent
  if (used > 100) return { code: 'inbox_full', unread }
  const own = recipient.isShared ? shareOf(db, recipient.id, sender) : { unread: 0, bytes: 0 }
  const share = percentOf(settings, { unread: own.unread + 1, bytes: own.bytes + bytes })
  if (share > settings.senderPercent) return { code: 'share_full', own: own.unread }
  const left = 100 - used
  const isForThem = share <= reserve * smallPart || (isUrgent && left >= reserve / urgentDivisor)
  return left >= reserve || isForThem ? undefined : { code: 'reserved', unread, own: own.unread }
}

/** Returns the percentage of an inbox that this is, by messages or by bytes, whichever is more. */
function percentOf({ inboxMessages, inboxBytes }: InboxSettings, { unread, bytes }: Amount): number {
  return Math.max((unread * 100) / inboxMessages, (bytes * 100) / inboxBytes)
}

function shareOf(db: Database, recipient: number, sender: number): Amount {
  const share = db.get<Amount>(
    'select unread, bytes from inbox_share where recipient = ? and sender = ?',
    recipient,
    sender,
  )
  return share ?? { unread: 0, bytes: 0 }
}

/** Counts a delivery of `bytes` that was just stored for each of `recipients`, which are the rows from before. */
export function takeRoom(
  db: Database,
  recipients: readonly MemberRow[],
  { sender, bytes }: { sender: number; bytes: number },
): void {
  if (recipients.length === 1) db.run(countOne, bytes, recipients[0]!.id)
  else db.run(countCrowd, bytes, JSON.stringify(recipients.map(({ id }) => id)))
  for (const recipient of recipients) {
    const now = { unread: recipient.unread + 1, bytes: recipient.unreadBytes + bytes }
    tookRoom(db, recipient, now)
    if (recipient.isShared) countShare(db, recipient.id, sender, bytes)
    else if (now.unread >= alwaysMessages || now.bytes > alwaysBytes) startCountingShares(db, recipient.id, now)
  }
}

const countOne = 'update member set unread = unread + 1, unread_bytes = unread_bytes + ?1 where id = ?2'
const countCrowd =
  'update member set unread = unread + 1, unread_bytes = unread_bytes + ?1 where id in (select value from json_each(?2))'

function countShare(db: Database, recipient: number, sender: number, bytes: number): void {
  db.run(
    `insert into inbox_share (recipient, sender, unread, bytes) values (?1, ?2, 1, ?3)
     on conflict (recipient, sender) do update set unread = unread + 1, bytes = bytes + ?3`,
    recipient,
    sender,
    bytes,
  )
}

/** Starts counting the unread messages of each sender at `recipient`, once they take enough of its room. */
function startCountingShares(db: Database, recipient: number, now: Amount): void {
  if (percentOf(knownSettings(db), now) < countedFromPercent) return
  db.run(
    `insert into inbox_share (recipient, sender, unread, bytes)
     select ?1, m.sender, count(*), sum(octet_length(m.body)) from (${unreadSeqs}) u join message m on m.seq = u.seq
     group by m.sender`,
    recipient,
    0,
  )
  db.run('update member set is_shared = 1 where id = ?', recipient)
  forgetMember(db, recipient)
}

/** Frees the room of deliveries that were acked or have expired. */
export function giveRoom(db: Database, recipient: number, seqs: readonly number[]): void {
  const list = JSON.stringify(seqs)
  forgetMember(db, recipient)
  db.run(
    `update member set unread = unread - ?2, unread_bytes = unread_bytes -
       (select sum(octet_length(body)) from message where seq in (select value from json_each(?3)))
     where id = ?1`,
    recipient,
    seqs.length,
    list,
  )
  const { isShared, ...left } = db.get<Amount & { isShared: 0 | 1 }>(
    'select unread, unread_bytes as bytes, is_shared as isShared from member where id = ?',
    recipient,
  )!
  if (!isShared) return
  db.run(
    `update inbox_share set unread = inbox_share.unread - gone.unread, bytes = inbox_share.bytes - gone.bytes
     from (select sender, count(*) as unread, sum(octet_length(body)) as bytes from message
       where seq in (select value from json_each(?2)) group by sender) gone
     where recipient = ?1 and inbox_share.sender = gone.sender`,
    recipient,
    list,
  )
  if (percentOf(knownSettings(db), left) < countedDownToPercent) stopCountingShares(db, recipient)
}

/** Stops counting the unread messages of each sender at `recipient`. */
export function stopCountingShares(db: Database, recipient: number): void {
  db.run('delete from inbox_share where recipient = ?', recipient)
  db.run('update member set is_shared = 0 where id = ?', recipient)
  forgetMember(db, recipient)
}
