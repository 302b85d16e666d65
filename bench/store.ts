import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { databaseFile, wordIndexFile } from '../src/hub/hub.ts'
import type { Command, Outcome } from '../src/hub/state/commands.ts'
import { indexSome } from '../src/hub/state/local/history-index.ts'
import { State } from '../src/hub/state/state.ts'
import { WordIndex } from '../src/hub/state/words/word-index.ts'
import { formatCursor } from '../src/protocol/events.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { hashJoinCode, mintJoinCode } from '../src/protocol/join-code.ts'
import { hashToken, mintToken, parseToken } from '../src/protocol/token.ts'
import { text } from './messages.ts'

export interface Member {
  name: string
  token: string
}

/** Maximum number of commands in one transaction while a store is filled. */
const batch = 500

/** A hub's data directory, filled before a hub runs on it with the commands that a hub would apply. */
export class Store implements Disposable {
  readonly #dataDir: string
  readonly #state: State
  readonly #ids = new Map<string, number>()

  constructor(dataDir: string) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    this.#dataDir = dataDir
    this.#state = new State(join(dataDir, databaseFile))
    if (this.#state.position.epoch === '') this.#state.enterEpoch('made')
  }

  /** Adds joined machines called m0, m1, … */
  addMembers(count: number): Member[] {
    const members = Array.from({ length: count }, (_, index) => ({ name: `m${index}`, token: mintToken('machine') }))
    const commands = members.flatMap(({ name, token }): Command[] => {
      const codeHash = hashJoinCode(mintJoinCode()).toString('base64')
      const tokenHash = hashToken(token).toString('base64')
      const { id: tokenId } = parseToken(token)!
      return [
        { type: 'member.invite', name, kind: 'machine', codeHash, lifeS: 600 },
        { type: 'member.join', name, codeHash, tokenId, tokenHash, role: 'machine' },
      ]
    })
    this.#apply(commands)
    for (const { id, name } of this.#state.db.all<{ id: number; name: string }>('select id, name from member')) {
      this.#ids.set(name, id)
    }
    return members
  }

  /** Stores `count` messages from one member to another; with `acked` the recipient has read them. */
  addMessages(from: Member, to: Member, count: number, acked: boolean, body = text): void {
    const sender = this.#ids.get(from.name)!
    const recipient = this.#ids.get(to.name)!
    for (let left = count; left > 0; left -= batch) {
      const sends = Array.from({ length: Math.min(batch, left) }, (): Command & { type: 'message.send' } => {
        return { type: 'message.send', id: newMessageId(), by: sender, to: [to.name], body }
      })
      const ids = sends.map(({ id }) => id)
      this.#apply(acked ? [...sends, { type: 'inbox.ack', by: recipient, ids }] : sends)
    }
  }

  /** Stores `count` messages from one member to another, who acks each separately: one receipt each, at its own seq. */
  addReceipts(from: Member, to: Member, count: number): void {
    const sender = this.#ids.get(from.name)!
    const recipient = this.#ids.get(to.name)!
    const commands = Array.from({ length: count }, newMessageId).flatMap((id): Command[] => [
      { type: 'message.send', id, by: sender, to: [to.name], body: 'received' },
      { type: 'inbox.ack', by: recipient, ids: [id] },
    ])
    this.#apply(commands)
  }

  /** Indexes history and words up to the newest message, as an idle hub does. */
  index(): void {
    while (indexSome(this.#state.db));
    using words = new WordIndex(join(this.#dataDir, wordIndexFile), this.#state.db)
    while (words.step().more);
  }

  /** Returns the cursor before everything that was stored here. */
  get start(): string {
    return formatCursor({ epoch: this.#state.position.epoch, seq: 0 })
  }

  #apply(commands: Command[]): Outcome[] {
    const outcomes: Outcome[] = []
    const time = Date.now()
    for (let start = 0; start < commands.length; start += batch) {
      const { seq } = this.#state.position
      const entries = commands
        .slice(start, start + batch)
        .map((command, index) => ({ seq: seq + 1 + index, time, command }))
      outcomes.push(
        ...this.#state.applyBatch(entries, (_, error) => {
          throw error
        }),
      )
    }
    const refused = outcomes.find(outcome => !outcome.ok)
    if (refused && !refused.ok) throw new Error(refused.refusal.why.code)
    return outcomes
  }

  [Symbol.dispose](): void {
    this.#state.close()
  }
}
