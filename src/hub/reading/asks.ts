import type { AuditAnswer, AuditQuery } from '../../protocol/audit.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { type Charts, chartsOf } from '../state/query/charts.ts'
import { type ConversationInfo, type ConversationPlace, conversationsOf } from '../state/query/conversations.ts'
import { type HistoryFilter, historySeen } from '../state/query/history.ts'
import { messageAt, type Sent, withoutText } from '../state/query/messages.ts'
import { lateAnswers, type OpenRequest, openRequests, openRequestsSeen } from '../state/query/requests.ts'
import { allUnread, type UnreadOf } from '../state/query/unread.ts'
import { eyesFor, eyesOf, readsTexts, sees, type Viewer } from '../state/query/viewer.ts'
import type { Database } from '../state/store/database.ts'
import { isDamage } from '../state/store/sqlite-errors.ts'
import type { Words } from '../state/words/word-index.ts'
import { auditLines } from './audit-lines.ts'

/** What an ask works with, in the reading thread. */
export interface Desk {
  db: Database
  words: Words
  /** The audit's database; opened when it is first asked for. */
  audit(): Database
  /** Throws `too_large` when the ask has had its time. Called often by whatever may look at many rows. */
  check: () => void
}

/** How long a search brings the index of words nearer to the newest message before it looks through the rest, in ms. */
const catchUpMs = 200

/** Most bytes of JSON that are read for one page of history, but for one message. */
const maxPageBytes = 1024 * 1024

interface ConversationsFilter {
  viewer: Viewer
  of?: number[]
  before?: ConversationPlace
  limit: number
  /** ms since 1970. */
  now: number
}

/** A page of history: whole messages, newest first, and whether there may be older ones. */
export interface HistoryPage {
  found: Sent[]
  more: boolean
}

/** Everything that is asked of the reading thread, by name: queries whose cost grows with what is stored. */
export const asks = {
  /** What the members `of` sent or were sent, as far as `viewer` sees it. */
  history(desk: Desk, { viewer, of, ...filter }: HistoryFilter & { viewer: Viewer; of?: number[] }): HistoryPage {
    const { db, words, check } = desk
    const shown = readsTexts(viewer) ? (sent: Sent) => sent : withoutText
    if (filter.q !== undefined && !readsTexts(viewer)) throw new Error('texts are searched by those who may read them')
    if (filter.q !== undefined) catchUp(desk)
    return snapshot(db, () => {
      const eyes = eyesFor(db, viewer, of)
      const seqs = historySeen(db, eyes, filter, { words, check })
      const late = lateAnswers(db)
      const found: Sent[] = []
      let bytes = 0
      for (const seq of seqs) {
        check()
        const whole = messageAt(db, eyes, seq, late)
        if (!whole) continue
        const sent = shown(whole)
        bytes += Buffer.byteLength(JSON.stringify(sent))
        if (found.length > 0 && bytes > maxPageBytes) return { found, more: true }
        found.push(sent)
      }
      return { found, more: seqs.length === filter.limit }
    })
  },

  /** One message, as `viewer` sees it; null when there is none. */
  message({ db }: Desk, { viewer, id }: { viewer: Viewer; id: string }): Sent | null {
    return snapshot(db, () => {
      const seq = db.get<{ seq: number }>('select seq from message where id = ?', id)?.seq
      const sent = seq === undefined ? undefined : messageAt(db, eyesOf(db, viewer), seq, lateAnswers(db))
      return sent ? (readsTexts(viewer) ? sent : withoutText(sent)) : null
    })
  },

  /** The conversations of the members `of`, as far as `viewer` sees them; without `of`, of all that it sees. One more than `limit` where there are more. */
  conversations({ db, check }: Desk, { viewer, of, before, limit, now }: ConversationsFilter): ConversationInfo[] {
    return snapshot(db, () => {
      const eyes = eyesFor(db, viewer, of)
      const found = conversationsOf(db, eyes, { before, limit: limit + 1, now }, check)
      return readsTexts(viewer) ? found : found.map(each => ({ ...each, beginning: undefined }))
    })
  },

  /** What `sender` has asked and not everybody has answered at `now`, ms since 1970. */
  openRequests({ db }: Desk, { sender, now }: { sender: number; now: number }): OpenRequest[] {
    return snapshot(db, () => openRequests(db, sender, now))
  },

  /**
   * The mail of all members that `viewer` sees: how much is unread, when the oldest of that was sent, and which of their requests are open at
   * `now`, ms since 1970. An admin is shown no texts here.
   */
  mail({ db }: Desk, { viewer, now }: { viewer: Viewer; now: number }): { unread: UnreadOf[]; open: OpenRequest[] } {
    return snapshot(db, () => {
      const eyes = eyesOf(db, viewer)
      const open = openRequestsSeen(db, eyes, now)
      return {
        unread: allUnread(db).filter(({ id }) => sees(eyes, id)),
        open: viewer.member === 0 ? open.map(request => ({ ...request, beginning: '' })) : open,
      }
    })
  },

  /** The charts of the mail of `of`, as far as `viewer` sees it; without `of`, of all that it sees. */
  charts(
    { db, check }: Desk,
    { viewer, of, ...span }: { viewer: Viewer; of?: number[]; hours: number; now: number },
  ): Charts {
    return snapshot(db, () => chartsOf(db, eyesFor(db, viewer, of), span, check))
  },

  /** Lines of the audit, newest first, and how many more there are. */
  audit({ audit, check }: Desk, query: AuditQuery): AuditAnswer {
    try {
      return auditLines(audit(), query, check)
    } catch (error) {
      throw isDamage(error) ? damagedAudit(error) : error
    }
  },

  /** Brings the index of words one step nearer to the newest message. See `WordIndex.step`. */
  index({ words }: Desk): { more: boolean; gone: number | undefined } {
    return words.step()
  },
} as const

export type Asks = typeof asks
export type AskName = keyof Asks
export type ArgumentOf<Name extends AskName> = Asks[Name] extends (desk: Desk, argument: infer A) => unknown
  ? A
  : undefined
export type AnswerTo<Name extends AskName> = ReturnType<Asks[Name]>

function damagedAudit(error: unknown): ClaudeNetError {
  return new ClaudeNetError(
    'unavailable',
    `The audit is damaged: ${(error as Error).message}.`,
    'Stop the hub, move audit.db out of its directory, and start the hub: it begins a new one. The store is another file.',
  )
}

/** A search finds what was stored before it. What the index does not reach in this time is looked through, text by text. */
function catchUp({ words }: Desk): void {
  const until = performance.now() + catchUpMs
  try {
    while (performance.now() < until && words.step().more);
  } catch {
    // A full disk: the texts that are not indexed are looked through.
  }
}

/** Runs `work` on the store as it is now, whatever is committed meanwhile. */
function snapshot<T>(db: Database, work: () => T): T {
  db.run('begin')
  try {
    return work()
  } finally {
    db.run('rollback')
  }
}
