import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { checkBackup } from '../../../src/hub/keeping/check-backup.ts'
import { checkTail } from '../../../src/hub/keeping/check-tail.ts'
import { drill } from '../../../src/hub/keeping/restore.ts'
import { encodeRecord, type TailRecord } from '../../../src/hub/keeping/tail-format.ts'
import { entryVersion } from '../../../src/hub/state/commands.ts'
import { inName } from '../../../src/hub/state/store/backup-names.ts'
import { newestSchema } from '../../../src/hub/state/store/migrate.ts'
import { ClaudeNetError } from '../../../src/protocol/errors.ts'
import { Broken, filledIn, jsonOf, objectOf, type Target } from '../target.ts'
import { beginning, idOf, SmallStore } from './log-world.ts'

const entry = (seq: number, command: object) => ({
  entry: { v: entryVersion, seq, time: beginning + 1000 * seq, steady: beginning + 1000 * seq, command },
})
const start = { tail: 1, epoch: 'history', seq: 15, schema: newestSchema }
const tail = [
  start,
  { epoch: 'history' },
  entry(16, { type: 'clock.tick' }),
  entry(17, { type: 'message.send', id: idOf(20), by: 2, to: ['sean'], body: 'hi' }),
  { end: 17 },
]

/** Backups and tails with mutated bytes or rows: each is either good and can be restored, or refused with a reason. */
export const backups: Target = {
  name: 'backups',
  what: 'backups and their tails: checked, restored, opened',
  json: true,
  maxFiles: 10,
  dictionary: [
    ...[
      'edits',
      'at',
      'put',
      'cut',
      'sql',
      'tail',
      'torn',
      'entry',
      'matches',
      'end',
      'epoch',
      'seq',
      'schema',
      'fingerprint',
      'version',
      'outcomes',
      'refused',
      'conflict',
      'command',
      'time',
      'steady',
      'v',
    ],
    ...[
      'delete from message',
      'update message set body = null',
      'update member set unread = 7',
      'update position set seq = 3',
      'pragma user_version = 3',
      'pragma user_version = -1',
      'drop table delivery',
      'update delivery set acked_at = -1',
    ],
    ...[
      'pragma writable_schema = on',
      "update sqlite_schema set sql = 'x'",
      'create trigger t after insert on message begin select 1; end',
      'insert into later select * from later',
      "update later set content = '{'",
      'vacuum',
      "update position set epoch = x'00'",
      'update message set hash = null',
    ],
  ],
  seeds: [
    {},
    { tail },
    { edits: [{ at: 0.5, put: '\0\0\0\0' }] },
    {
      edits: [
        { at: 18, put: '\u0002\u0002' },
        { at: 100, put: '\u0005' },
      ],
    },
    { cut: 0.7 },
    { sql: ["update message set body = 'other'"] },
    { sql: ["update later set content = '{}'"] },
    { sql: ['delete from delivery'] },
    {
      tail: [
        ...tail.slice(0, 3),
        { matches: { seq: 16, schema: newestSchema, version: '0.1.0', fingerprint: 'x' } },
        ...tail.slice(3),
      ],
    },
    { tail, torn: 20 },
    { tail: ['no line', start] },
  ].map(each => JSON.stringify(each)),
  async open() {
    const store = new SmallStore()
    return {
      run: async input => give(store, objectOf(filledIn(jsonOf(input)))),
      close: async () => store.close(),
    }
  },
}

function give(store: SmallStore, { edits, cut, sql, tail, torn }: Record<string, unknown>): void {
  const file = store.copy('backup.db')
  const statements = Array.isArray(sql) ? sql.slice(0, 5).map(String) : []
  for (const statement of statements) change(file, statement)
  if (Array.isArray(edits) || typeof cut === 'number') {
    const bytes = readFileSync(file)
    for (const each of Array.isArray(edits) ? edits.slice(0, 20) : []) {
      const { at, put } = objectOf(each)
      bytes.write(String(put), placeIn(bytes.byteLength, at), 'latin1')
    }
    writeFileSync(file, typeof cut === 'number' ? bytes.subarray(0, placeIn(bytes.byteLength, cut)) : bytes)
  }
  const isGood = refusedOr(() => checkBackup(file))
  if (Array.isArray(tail)) {
    const log = join(store.dir, 'tails')
    rmSync(log, { recursive: true, force: true })
    mkdirSync(log)
    const path = join(log, `hub-${inName(beginning)}.log`)
    const bytes = tailOf(tail)
    writeFileSync(path, bytes.subarray(0, typeof torn === 'number' ? -(Math.abs(Math.trunc(torn)) || 1) : undefined))
    refusedOr(() => checkTail(path))
    if (isGood) refusedOr(() => drill(file, { to: 'end', log }))
    return
  }
  if (isGood && !refusedOr(() => drill(file))) throw new Broken('a backup that was found good cannot be restored')
}

function change(file: string, statement: string): void {
  // Statements that attach or create other files are out of scope.
  if (/attach|vacuum\s+into|journal_mode|load_extension|temp_store/i.test(statement)) return
  using db = new DatabaseSync(file)
  try {
    db.exec(statement)
  } catch {
    // SQLite rejects the statement.
  }
}

/** Returns true on success, false for a refusal with a reason. Throws anything else. */
function refusedOr(run: () => unknown): boolean {
  try {
    run()
    return true
  } catch (error) {
    if (error instanceof ClaudeNetError) return false
    throw error
  }
}

function placeIn(bytes: number, at: unknown): number {
  const place = typeof at === 'number' && Number.isFinite(at) ? Math.abs(at) : 0
  return Math.floor(place < 1 ? place * bytes : place % bytes)
}

/** Returns the lines of a tail with valid lengths and checksums; a string is a raw line. */
function tailOf(records: readonly unknown[]): Buffer {
  const lines: Buffer[] = []
  let crc = 0
  for (const record of records.slice(0, 50)) {
    if (typeof record === 'string') lines.push(Buffer.from(record))
    else {
      const encoded = encodeRecord(record as TailRecord, crc)
      crc = encoded.crc
      lines.push(encoded.line)
    }
  }
  return Buffer.concat(lines)
}
