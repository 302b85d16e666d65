import type { Intent } from '../../../protocol/messages.ts'
import type { LaterContent } from '../apply/later.ts'
import { contentHash } from '../content-hash.ts'
import type { Database } from '../store/database.ts'

/** A scheduled message that waits. Times in ms since 1970. */
export interface WaitingLater {
  id: string
  /** Seq of the entry that stored it. */
  seq: number
  to: string[]
  at: number
  writtenAt: number
  intent?: Intent
  replyTo?: string
  expiresInS?: number
  body: string
}

/** Returns the scheduled messages of `sender` that wait, by the time they are due. */
export function laterOf(db: Database, sender: number): WaitingLater[] {
  const rows = db.all<{ id: string; seq: number; at: number; writtenAt: number; content: string }>(
    `select id, seq, due_at as at, written_at as writtenAt, content from later
     where sender = ? and ended is null order by due_at, seq`,
    sender,
  )
  return rows.map(({ content, ...row }) => {
    const { to, body, intent, replyTo, expiresInS } = contentOf(content)?.send ?? { to: [], body: '' }
    return {
      ...row,
      to,
      body,
      ...(intent && { intent }),
      ...(replyTo && { replyTo }),
      ...(expiresInS !== undefined && { expiresInS }),
    }
  })
}

/** Returns the send to carry out when it is due; undefined when the disk has damaged it. */
export function contentOf(json: string): LaterContent | undefined {
  try {
    return JSON.parse(json) as LaterContent
  } catch {
    return undefined
  }
}

/** Reports whether it is still what was sent, like `isIntact` for messages. */
export function isWhole({ send }: LaterContent, { hash, due_at: at }: { hash: Uint8Array; due_at: number }): boolean {
  const { to, body, replyTo = null, intent = null, expiresInS = null } = send
  return contentHash({ named: JSON.stringify(to), body, replyTo, intent, expiresInS, at }).equals(hash)
}

/** Returns the time at which the scheduled message `id` of `sender` is due, in ms since 1970; undefined unless it waits. */
export function laterDueAt(db: Database, sender: number, id: string): number | undefined {
  return db.get<{ at: number }>(
    'select due_at as at from later where id = ? and sender = ? and ended is null',
    id,
    sender,
  )?.at
}

/** Returns the ids of scheduled messages that are due at `steady`, in the order of delivery, at most `limit`. */
export function dueLater(db: Database, steady: number, limit: number): string[] {
  return db
    .all<{ id: string }>(
      'select id from later where ended is null and due_steady <= ? order by due_steady, seq limit ?',
      steady,
      limit,
    )
    .map(({ id }) => id)
}

/** Returns the number of waiting scheduled messages of all senders. */
export function laterCount(db: Database): number {
  return db.get<{ n: number }>('select count(*) as n from later where ended is null')!.n
}
