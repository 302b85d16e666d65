// The reading thread: it answers one ask at a time, on connections of its own.
import { rmSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { Database, hasNoRoom, sqliteCode } from '../state/store/database.ts'
import { noWords, WordIndex } from '../state/words/word-index.ts'
import { type AskName, asks, type Desk } from './asks.ts'
import { type Answer, type Files, type Question, ready, tooLong } from './wire.ts'

const { store, wordIndex, audit: auditFile } = workerData as Files
let endsAt = Infinity
let words: WordIndex | undefined
let audit: Database | undefined
const db = new Database(store, 'reader')

const desk: Desk = {
  db,
  get words() {
    words ??= openWords()
    return words ?? noWords
  },
  audit: () => {
    audit ??= new Database(auditFile, 'reader')
    return audit
  },
  check: () => {
    if (performance.now() > endsAt) throw tooLong()
  },
}
db.addCheck('in_time', desk.check)

parentPort!.on('message', ({ name, argument, limitMs }: Question) => {
  endsAt = performance.now() + limitMs
  parentPort!.postMessage(answer(name, argument))
})

parentPort!.postMessage(ready)

function answer(name: AskName, argument: unknown): Answer {
  try {
    return { value: asks[name](desk, argument as never) }
  } catch (error) {
    if (error instanceof ClaudeNetError) return { refusal: error.toBody() }
    if (sqliteCode(error) === 11 || sqliteCode(error) === 26) forgetWords()
    const { message, stack, code, errcode } = error as Error & { code?: string; errcode?: number }
    return { error: { message, stack, code, errcode } }
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
