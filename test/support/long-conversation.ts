import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { databaseFile } from '../../src/hub/hub.ts'
import type { Command } from '../../src/hub/state/commands.ts'
import { indexSome } from '../../src/hub/state/local/history-index.ts'
import { memberByName } from '../../src/hub/state/query/find-member.ts'
import { State } from '../../src/hub/state/state.ts'
import { newMessageId } from '../../src/protocol/ids.ts'

/**
 * Creates a store in `dataDir` with this many messages between the human `writer` and the machine `worker`: alternating questions and
 * answers, all read. Their texts are between a line and a page long, and begin with `question N` or `answer N`. Neither member has a token.
 */
export function makeLongConversation(dataDir: string, messages: number): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  using state = new State(join(dataDir, databaseFile))
  state.enterEpoch('made')
  const time = Date.now()
  const apply = (commands: Command[]) => {
    const { seq } = state.position
    const entries = commands.map((command, index) => ({ seq: seq + 1 + index, time: time + index, command }))
    const outcomes = state.applyBatch(entries, (_, error) => {
      throw error
    })
    for (const outcome of outcomes) if (!outcome.ok) throw new Error(outcome.refusal.why.code)
  }
  const members = [
    { name: 'writer', kind: 'human' as const },
    { name: 'worker', kind: 'machine' as const },
  ]
  apply([{ type: 'organization.import', members, aliases: [], groups: [] }])
  const idOf = (name: string) => memberByName(state.db, name)!.id
  const [writer, worker] = [idOf('writer'), idOf('worker')]
  const commands: Command[] = []
  for (let n = 0; n < messages / 2; n++) {
    const text = 'All work and no play makes a dull page. '.repeat(n % 17) + '\n\tline'.repeat(n % 5)
    const question = newMessageId()
    const answer = newMessageId()
    const common = { type: 'message.send' as const }
    commands.push(
      { ...common, id: question, by: writer, to: ['worker'], body: `question ${n} ${text}`, intent: 'request' },
      {
        ...common,
        id: answer,
        by: worker,
        to: ['writer'],
        body: `answer ${n} ${text}`,
        replyTo: question,
        intent: 'inform',
      },
      { type: 'inbox.ack', by: writer, ids: [answer] },
    )
  }
  apply(commands)
  while (indexSome(state.db));
}
