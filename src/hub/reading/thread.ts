// The reading thread: it answers one ask at a time, on connections of its own.
import { rmSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { Database } from '../state/store/database.ts'
import { hasNoRoom, isDamage } from '../state/store/sqlite-errors.ts'
import { StoreLost } from '../state/store/store-files.ts'
import { noWords, WordIndex } from '../state/words/word-index.ts'
import { type AskName, asks, type Desk } from './asks.ts'
import { type Answer, type Files, type Question, ready, tooLong } from './wire.ts'

const { store, wordIndex, audit: auditFile } = workerData as Files
let endsAt = Infinity
let words: WordIndex | undefined
let audit: Database | undefined
let damage: string | undefined
const db = new Database(store, 'reader')
db.onUnreadable = error => {
  damage ??= (error as Error).message
}

const desk: Desk = {
  db,
  get words() {
    words ??= openWords()
    return words ?? noWords
  },
  audit: () => {
    audit = openAudit(audit)
    return audit
  },
  check: () => {
    if (performance.now() > endsAt) throw tooLong()
  },
}
db.addCheck('in_time', desk.check)

parentPort!.on('message', ({ name, argument, limitMs }: Question) => {
  endsAt = performance.now() + limitMs
  damage = undefined
  parentPort!.postMessage({ ...answer(name, argument), ...(damage !== undefined && { damage }) })
})

parentPort!.postMessage(ready)

function answer(name: AskName, argument: unknown): Answer {
  try {
    return { value: asks[name](desk, argument as never) }
  } catch (error) {
    if (error instanceof ClaudeNetError) return { refusal: error.toBody() }
    if (isDamage(error) && damage === undefined) forgetWords()
    const { message, stack, code, errcode } = error as Error & { code?: string; errcode?: number }
    return { error: { message, stack, code, errcode } }
  }
}

/** The audit's file, opened anew where it is no longer the one that was open. */
function openAudit(opened: Database | undefined): Database {
  try {
    opened?.expectOpenFiles()
    return opened ?? new Database(auditFile, 'reader')
  } catch (error) {
    if (!(error instanceof StoreLost)) throw error
    opened?.close()
    return new Database(auditFile, 'reader')
  }
}

/** The index of words, or undefined while the disk has no room for it. */
function openWords(): WordIndex | undefined {
  try {
    return new WordIndex(wordIndex, db)
  } catch (error) {
    if (hasNoRoom(error)) return undefined
    throw error
  }
}

/** The index is made anew by the next ask that needs it: if it is what was damaged, nothing else heals it. */
function forgetWords(): void {
  try {
    words?.close()
  } catch {
    // It goes, whatever state it is in.
  }
  words = undefined
  for (const suffix of ['', '-wal', '-shm']) rmSync(wordIndex + suffix, { force: true })
}
