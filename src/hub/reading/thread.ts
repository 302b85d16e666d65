// The reading thread: runs one question at a time, on connections of its own.
import { rmSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { Database } from '../state/store/database.ts'
import { hasNoRoom, isDamage } from '../state/store/sqlite-errors.ts'
import { StoreLost } from '../state/store/store-files.ts'
import { noWords, WordIndex } from '../state/words/word-index.ts'
import { type QuestionContext, type QuestionName, questions } from './questions.ts'
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

const context: QuestionContext = {
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
db.addCheck('in_time', context.check)

parentPort!.on('message', ({ name, argument, limitMs }: Question) => {
  endsAt = performance.now() + limitMs
  damage = undefined
  parentPort!.postMessage({ ...answer(name, argument), ...(damage !== undefined && { damage }) })
})

parentPort!.postMessage(ready)

function answer(name: QuestionName, argument: unknown): Answer {
  try {
    return { value: questions[name](context, argument as never) }
  } catch (error) {
    if (error instanceof ClaudeNetError) return { refusal: error.toBody() }
    if (isDamage(error) && damage === undefined) deleteWords()
    const { message, stack, code, errcode } = error as Error & { code?: string; errcode?: number }
    return { error: { message, stack, code, errcode } }
  }
}

/** Returns `opened` if it is still the audit's file, and otherwise opens the file that has its name now. */
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

/** Returns the index of words, or undefined while the disk has no room for it. */
function openWords(): WordIndex | undefined {
  try {
    return new WordIndex(wordIndex, db)
  } catch (error) {
    if (hasNoRoom(error)) return undefined
    throw error
  }
}

/** Deletes the index, which may be the damaged file. The next question that needs it builds it again. */
function deleteWords(): void {
  try {
    words?.close()
  } catch {
    // It is deleted anyway.
  }
  words = undefined
  for (const suffix of ['', '-wal', '-shm']) rmSync(wordIndex + suffix, { force: true })
}
