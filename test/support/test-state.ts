import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Command, entryVersion, type Outcome, type ResultOf } from '../../src/hub/state/commands.ts'
import { memberByName } from '../../src/hub/state/query/find-member.ts'
import { type HistoryFilter, historyOf } from '../../src/hub/state/query/history.ts'
import { State } from '../../src/hub/state/state.ts'
import { WordIndex } from '../../src/hub/state/words/word-index.ts'
import { newMessageId } from '../../src/protocol/ids.ts'
import { hashJoinCode } from '../../src/protocol/join-code.ts'
import type { JoinableKind } from '../../src/protocol/messages.ts'
import { hashToken, mintToken, parseToken } from '../../src/protocol/token.ts'
import { ensureStore } from './empty-store.ts'
import { tempDir } from './temp.ts'

/** A state for the running test, to which commands are applied one at a time, without a journal. */
export class TestState {
  readonly state: State
  readonly #wordFile: string
  #words: WordIndex | undefined
  /** The time of the next entry, ms since 1970. */
  time = Date.parse('2026-01-01T00:00:00.000Z')

  /** Lead of the wall clock over the steady one, in ms. */
  clockOffset = 0

  /** Opens the state in `dir`, or in a directory of the running test. */
  constructor(dir = tempDir('state')) {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    this.#wordFile = join(dir, 'search.db')
    const file = join(dir, 'hub.db')
    ensureStore(file)
    this.state = new State(file)
    if (this.state.position.epoch === '') this.state.enterEpoch('test')
    onTestFinished(() => this.state.close())
  }

  /** The word index of this state, as far as it has been updated. */
  get words(): WordIndex {
    if (!this.#words) {
      const words = new WordIndex(this.#wordFile, this.state.db)
      onTestFinished(() => words.close())
      this.state.db.addCheck('in_time', () => {})
      this.#words = words
    }
    return this.#words
  }

  /** Returns the ids of messages that `reader` sent or received, newest first. */
  history(reader: number, filter: Partial<HistoryFilter> = {}): string[] {
    const { db } = this.state
    const all = { before: Number.MAX_SAFE_INTEGER, limit: 100, ...filter }
    return historyOf(db, reader, all, { words: this.words, check: () => {} }).map(
      seq => db.get<{ id: string }>('select id from message where seq = ?', seq)!.id,
    )
  }

  apply<C extends Command>(command: C): Outcome<C> {
    const entry = { seq: this.state.position.seq + 1, ...this.#now(), command }
    const [outcome] = this.state.applyBatch([entry], (_, error) => {
      throw error
    })
    return outcome as Outcome<C>
  }

  /** Applies several commands in one transaction. */
  doAtOnce(commands: Command[]): void {
    const { seq } = this.state.position
    const entries = commands.map((command, index) => ({ seq: seq + 1 + index, ...this.#now(), command }))
    const outcomes = this.state.applyBatch(entries, (_, error) => {
      throw error
    })
    if (outcomes.some(({ ok }) => !ok)) throw new Error('A command was refused.')
  }

  #now(): { v: number; time: number; steady: number } {
    return { v: entryVersion, time: this.time, steady: this.time - this.clockOffset }
  }

  /** Applies a command that must not be refused. */
  do<C extends Command>(command: C): ResultOf<C> {
    const outcome = this.apply(command)
    if (!outcome.ok) throw new Error(`${command.type} was refused: ${outcome.refusal.why.code}`)
    return outcome.result
  }

  /** Creates a member and returns its id. */
  member(name: string, kind: JoinableKind = 'machine'): number {
    const codeHash = hashJoinCode(`code of ${name}`).toString('base64')
    this.do({ type: 'member.invite', name, kind, codeHash, lifeS: 600 })
    return memberByName(this.state.db, name)!.id
  }

  /** Creates a machine that has joined, and returns its id and token. */
  joined(name: string): { id: number; token: string } {
    const id = this.member(name)
    const token = mintToken('machine')
    this.do({
      type: 'member.join',
      name,
      codeHash: hashJoinCode(`code of ${name}`).toString('base64'),
      tokenId: parseToken(token)!.id,
      tokenHash: hashToken(token).toString('base64'),
      role: 'machine',
    })
    return { id, token }
  }

  /** Stores a message and returns its id. */
  send(by: number, to: string | string[], expiresInS?: number, body = 'hello'): string {
    const id = newMessageId()
    this.do({ type: 'message.send', id, by, to: [to].flat(), body, expiresInS })
    return id
  }
}
