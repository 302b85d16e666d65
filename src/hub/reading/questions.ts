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

/** Everything that a question works with, in the reading thread. */
export interface QuestionContext {
  db: Database
  words: Words
  /** Returns the audit's database, which the first call opens. */
  audit(): Database
  /** Throws `too_large` once the time limit has passed. Called often by code that may read many rows. */
  check: () => void
}

/** Time a search spends extending the index of words before it scans the messages that are not indexed, in ms. */
const catchUpMs = 200

/** Most bytes of JSON in one page of history, unless its first message alone is larger. */
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

/** The questions to the reading thread, by name: queries whose cost grows with the store. */
export const questions = {
  /** Returns the messages that the members `of` sent or received, as far as `viewer` sees them. */
  history(
    context: QuestionContext,
    { viewer, of, ...filter }: HistoryFilter & { viewer: Viewer; of?: number[] },
  ): HistoryPage {
    const { db, words, check } = context
    const shown = readsTexts(viewer) ? (sent: Sent) => sent : withoutText
    if (filter.q !== undefined && !readsTexts(viewer))
      throw new Error('a viewer without access to texts cannot search them')
    if (filter.q !== undefined) catchUp(context)
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

  /** Returns one message as `viewer` sees it, or null if there is none. */
  message({ db }: QuestionContext, { viewer, id }: { viewer: Viewer; id: string }): Sent | null {
    return snapshot(db, () => {
      const seq = db.get<{ seq: number }>('select seq from message where id = ?', id)?.seq
      const sent = seq === undefined ? undefined : messageAt(db, eyesOf(db, viewer), seq, lateAnswers(db))
      return sent ? (readsTexts(viewer) ? sent : withoutText(sent)) : null
    })
  },

  /**
   * Returns the conversations of the members `of`, as far as `viewer` sees them; without `of`, of all members that it sees. Returns one more
   * than `limit` if there are more.
   */
  conversations(
    { db, check }: QuestionContext,
    { viewer, of, before, limit, now }: ConversationsFilter,
  ): ConversationInfo[] {
    return snapshot(db, () => {
      const eyes = eyesFor(db, viewer, of)
      const found = conversationsOf(db, eyes, { before, limit: limit + 1, now }, check)
      return readsTexts(viewer) ? found : found.map(each => ({ ...each, beginning: undefined }))
    })
  },

  /** Returns the requests of `sender` that are open at `now`, ms since 1970. */
  openRequests({ db }: QuestionContext, { sender, now }: { sender: number; now: number }): OpenRequest[] {
    return snapshot(db, () => openRequests(db, sender, now))
  },

  /**
   * Returns, for all members that `viewer` sees, the number and oldest time of their unread messages, and their requests that are open at
   * `now`, ms since 1970. An admin sees no texts here.
   */
  unreadAndRequests(
    { db }: QuestionContext,
    { viewer, now }: { viewer: Viewer; now: number },
  ): { unread: UnreadOf[]; open: OpenRequest[] } {
    return snapshot(db, () => {
      const eyes = eyesOf(db, viewer)
      const open = openRequestsSeen(db, eyes, now)
      return {
        unread: allUnread(db).filter(({ id }) => sees(eyes, id)),
        open: viewer.member === 0 ? open.map(request => ({ ...request, beginning: '' })) : open,
      }
    })
  },

  /** Returns the charts of the members `of`, as far as `viewer` sees them; without `of`, of all members that it sees. */
  charts(
    { db, check }: QuestionContext,
    { viewer, of, ...span }: { viewer: Viewer; of?: number[]; hours: number; now: number },
  ): Charts {
    return snapshot(db, () => chartsOf(db, eyesFor(db, viewer, of), span, check))
  },

  /** Returns lines of the audit, newest first, and the number of further ones. */
  audit({ audit, check }: QuestionContext, query: AuditQuery): AuditAnswer {
    try {
      return auditLines(audit(), query, check)
    } catch (error) {
      throw isDamage(error) ? damagedAudit(error) : error
    }
  },

  /** Extends the index of words by one step. See `WordIndex.step`. */
  index({ words }: QuestionContext): { more: boolean; gone: number | undefined } {
    return words.step()
  },
} as const

export type Questions = typeof questions
export type QuestionName = keyof Questions
export type ArgumentOf<Name extends QuestionName> = Questions[Name] extends (
  context: QuestionContext,
  argument: infer A,
) => unknown
  ? A
  : undefined
export type AnswerTo<Name extends QuestionName> = ReturnType<Questions[Name]>

function damagedAudit(error: unknown): ClaudeNetError {
  return new ClaudeNetError(
    'unavailable',
    `The audit is damaged: ${(error as Error).message}.`,
    'Stop the hub, move audit.db out of its directory, and start the hub: it begins a new one. The store, another file, is not affected.',
  )
}

/** Extends the index of words so that a search finds what was stored before it. Messages not reached in `catchUpMs` are scanned. */
function catchUp({ words }: QuestionContext): void {
  const until = performance.now() + catchUpMs
  try {
    while (performance.now() < until && words.step().more);
  } catch {
    // A full disk: the texts that are not indexed are scanned.
  }
}

/** Runs `work` on a snapshot of the store. */
function snapshot<T>(db: Database, work: () => T): T {
  db.run('begin')
  try {
    return work()
  } finally {
    db.run('rollback')
  }
}
