import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Command, Outcome, ResultOf } from '../../src/hub/state/commands.ts'
import { memberByName } from '../../src/hub/state/members.ts'
import { State } from '../../src/hub/state/state.ts'
import { newMessageId } from '../../src/protocol/ids.ts'
import { hashJoinCode } from '../../src/protocol/join-code.ts'
import type { MemberKind } from '../../src/protocol/messages.ts'
import { tempDir } from './temp.ts'

/** A state of the running test's own, to which commands are applied one at a time, without a journal. */
export class TestState {
  readonly state = new State(join(tempDir('state'), 'hub.db'))
  /** The time of the next entry, ms since 1970. */
  time = Date.parse('2026-01-01T00:00:00.000Z')

  constructor() {
    onTestFinished(() => this.state.close())
  }

  apply<C extends Command>(command: C): Outcome<C> {
    const entry = { seq: this.state.position.seq + 1, time: this.time, command }
    const [outcome] = this.state.applyBatch([entry], (_, error) => {
      throw error
    })
    return outcome as Outcome<C>
  }

  /** Applies what must not be refused. */
  do<C extends Command>(command: C): ResultOf<C> {
    const outcome = this.apply(command)
    if (!outcome.ok) throw new Error(`${command.type} was refused: ${outcome.refusal.message}`)
    return outcome.result
  }

  /** Makes a member and answers its id. */
  member(name: string, kind: MemberKind = 'machine'): number {
    const codeHash = hashJoinCode(`code of ${name}`).toString('base64')
    this.do({ type: 'member.invite', name, kind, codeHash, lifeS: 600 })
    return memberByName(this.state.db, name)!.id
  }

  /** Stores a message and answers its id. */
  send(by: number, to: string | string[], expiresInS?: number): string {
    const id = newMessageId()
    this.do({ type: 'message.send', id, by, to: [to].flat(), body: 'hello', expiresInS })
    return id
  }
}
