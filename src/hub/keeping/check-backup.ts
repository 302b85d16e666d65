import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import type { BackupReport } from '../../protocol/backup.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { isIntact, type StoredContent } from '../state/content-hash.ts'
import { contentOf, isWhole } from '../state/query/later.ts'
import { inOneLine } from '../state/store/damage.ts'
import { newestSchema } from '../state/store/migrate.ts'
import { isTime, timestamp } from '../state/timestamp.ts'
import { foreignPart } from './expected-schema.ts'
import { fingerprintOf, type Shape, shapeOf } from './fingerprint.ts'

/** The first schema that deletes texts after some time. */
const deletingSchema = 7

/** The first schema with scheduled messages. */
const laterSchema = 18

/**
 * Checks all of a backup: SQLite's own check, the content hash stored with every text, and the counts. Writes nothing. Throws `invalid`
 * with the problem of the file, under the name `file`.
 */
export function checkBackup(path: string, file = path): BackupReport {
  return withBackup(path, file, db => {
    const { schema } = get<{ schema: number }>(db, 'select user_version as schema from pragma_user_version')
    const isHub = get<{ n: number }>(
      db,
      `select count(*) as n from sqlite_schema where name in ('position', 'delivery')`,
    )
    if (isHub.n !== 2) throw notGood(file, 'it is not the store of a hub')
    if (schema > newestSchema)
      throw notGood(
        file,
        `it has schema ${schema} and this program knows ${newestSchema} at most; use the newer program`,
      )
    const foreign = foreignPart(db, schema)
    if (foreign) throw notGood(file, foreign)
    const sound = get<{ quick_check: string }>(db, 'pragma quick_check(1)').quick_check
    if (sound !== 'ok') throw notGood(file, `SQLite finds it damaged (${inOneLine(sound)})`)
    expectTexts(db, file, schema)
    expectCounts(db, file)
    const { epoch, seq, time, outcomes = '' } = get<PositionRow>(db, 'select * from position')
    if (!isTime(time)) throw notGood(file, 'its last change has no time')
    return {
      file: resolve(file),
      bytes: statSync(path).size,
      schema,
      epoch,
      seq,
      lastChangeAt: timestamp(time),
      members: count(db, schema >= 2 ? 'member where deleted_at is null' : 'member'),
      messages: count(db, 'message'),
      unread: count(db, 'delivery where acked_at is null and expired_at is null'),
      fingerprint: fingerprintOf(db, shapeOf(db)),
      outcomes,
    }
  })
}

/** Returns the place in the history at which a backup ends; `offset` is that in a log, 0 before schema 14. */
export function placeOfBackup(file: string): { epoch: string; seq: number; offset: number } {
  return withBackup(file, file, db => {
    const { epoch, seq, log_offset: offset = 0 } = get<PositionRow>(db, 'select * from position')
    return { epoch, seq, offset }
  })
}

/** Returns the tables and columns of a backup. */
export function shapeOfBackup(file: string): Shape {
  return withBackup(file, file, shapeOf)
}

/** Returns the fingerprint of a closed store, over the tables and columns of `shape`. */
export function fingerprintAs(file: string, shape: Shape): string {
  return withBackup(file, file, db => fingerprintOf(db, shape))
}

/** Throws unless `file` exists and is complete: the store of a running or killed hub has a log beside it. */
export function expectOneFile(file: string): void {
  if (!existsSync(file))
    throw new ClaudeNetError('not_found', `There is no file ${file}.`, 'Name a backup: they are in DIR/backups.')
  if (!statSync(file).isFile()) throw notGood(file, 'it is not a file')
  if (existsSync(`${file}-wal`) && statSync(`${file}-wal`).size > 0)
    throw notGood(file, `${file}-wal is beside it: it is the store of a hub, or a raw copy of one`)
}

/** Opens a file that is not written to. Reports errors of SQLite as problems of the file. */
function withBackup<T>(path: string, file: string, read: (db: DatabaseSync) => T): T {
  expectOneFile(path)
  // Immutable: SQLite takes no lock and creates no file beside it.
  const url = pathToFileURL(resolve(path))
  url.search = 'immutable=1'
  try {
    using db = new DatabaseSync(url, { readOnly: true })
    return read(db)
  } catch (error) {
    if (error instanceof ClaudeNetError) throw error
    throw notGood(file, `SQLite says: ${(error as Error).message}`)
  }
}

/** `outcomes` and `log_offset` are missing before schema 14. */
interface PositionRow {
  epoch: string
  seq: number
  time: number
  outcomes?: string
  log_offset?: number
}

type MessageRow = StoredContent & { seq: number }

type WaitingRow = { id: string; content: string; hash: Uint8Array; due_at: number }

function expectTexts(db: DatabaseSync, file: string, schema: number): void {
  const withText = schema >= deletingSchema ? 'where text_deleted_at is null' : ''
  const dueAt = schema >= laterSchema ? 'due_at' : 'null'
  const messages = db.prepare(
    `select seq, named, sent_at, reply_to, intent, expires_at, ${dueAt} as due_at, body, hash from message ${withText}`,
  )
  for (const row of messages.iterate() as Iterable<unknown> as Iterable<MessageRow>) {
    if (!isIntact(row)) throw notGood(file, `message ${row.seq} is not what was sent: its content hash differs`)
  }
  if (schema >= laterSchema) expectLater(db, file)
}

/** Checks the content hash of scheduled messages that wait, too. */
function expectLater(db: DatabaseSync, file: string): void {
  const waiting = db.prepare('select id, content, hash, due_at from later where ended is null')
  for (const row of waiting.iterate() as Iterable<unknown> as Iterable<WaitingRow>) {
    const content = contentOf(row.content)
    if (!content || !isWhole(content, row)) throw notGood(file, `the scheduled message ${row.id} is not what was sent`)
  }
}

function expectCounts(db: DatabaseSync, file: string): void {
  const miscounted = db
    .prepare(
      `select name from member where unread <> (select count(*) from delivery d
       where d.recipient = member.id and d.acked_at is null and d.expired_at is null)`,
    )
    .get() as { name: string } | undefined
  if (miscounted) throw notGood(file, `the inbox of ${miscounted.name} has a wrong count of unread messages`)
  const orphans = count(db, 'delivery where seq not in (select seq from message)')
  if (orphans > 0) throw notGood(file, `${orphans} deliveries have no message`)
  const beyond = count(db, 'message where seq > (select seq from position)')
  if (beyond > 0) throw notGood(file, `${beyond} messages are newer than its history`)
}

function count(db: DatabaseSync, from: string): number {
  return get<{ n: number }>(db, `select count(*) as n from ${from}`).n
}

function get<Row>(db: DatabaseSync, sql: string): Row {
  return db.prepare(sql).get() as Row
}

/** Returns the error for a backup that cannot be used. */
export function notGood(file: string, what: string): ClaudeNetError {
  return new ClaudeNetError('invalid', `${file} is not a good backup: ${what}.`, 'Use another one.')
}
