import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { databaseFile, wordIndexFile } from '../../src/hub/hub.ts'
import type { Command } from '../../src/hub/state/commands.ts'
import { indexSome } from '../../src/hub/state/local/history-index.ts'
import { memberByName } from '../../src/hub/state/query/find-member.ts'
import { State } from '../../src/hub/state/state.ts'
import { WordIndex } from '../../src/hub/state/words/word-index.ts'
import { formatCursor } from '../../src/protocol/events.ts'
import { newMessageId } from '../../src/protocol/ids.ts'
import { hashJoinCode } from '../../src/protocol/join-code.ts'
import type { JoinableKind } from '../../src/protocol/messages.ts'
import { hashToken, mintToken, parseToken } from '../../src/protocol/token.ts'

/** A store of at least the size that Claude Net is made for, in which each member has created the maximum allowed. */
export interface LargeStore {
  /** `m0`, which has 8,000 unread messages, and has sent 3 requests to all members; and `h0`, who owns every machine. */
  machine: string
  human: string
  /** An unused join code for `newcomer`. */
  code: string
  /** The path of a webhook that accepts anything. */
  webhook: string
  /** A message of `m0` to all, and the oldest 100 in its inbox. */
  toAll: string
  unread: string[]
  /** The id of `h0`. */
  owner: number
  /** The id of `m0`, and the seq after its longest messages. */
  reader: number
  afterLong: number
  /** The cursor before the first entry. */
  start: string
  members: number
  messages: number
}

const [machines, humans, groups, groupSize] = [1950, 50, 100, 1000]

/** Creates it in `dataDir`: 2,000 members with an alias each, machines with 30 projects each, 100 groups of 1,000, 20,000 messages. */
export function makeLargeStore(dataDir: string): LargeStore {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  using state = new State(join(dataDir, databaseFile))
  state.enterEpoch('made')
  const time = Date.now()
  const apply = (commands: Command[]) => {
    const { seq } = state.position
    const entries = commands.map((command, index) => ({ seq: seq + 1 + index, time, command }))
    const outcomes = state.applyBatch(entries, (_, error) => {
      throw error
    })
    for (const outcome of outcomes) if (!outcome.ok) throw new Error(outcome.refusal.why.code)
  }
  const named = (letter: string, count: number) => many(count, n => `${letter}${n}`)
  const all = [...named('h', humans), ...named('m', machines)]
  const members = all.map(name => {
    return name[0] === 'h' ? { name, kind: 'human' as const } : { name, kind: 'machine' as const, owner: 'h0' }
  })
  const aliases = all.map(member => ({ alias: `also-${member}`, member }))
  const made = named('g', groups).map(group => ({ group, members: [] }))
  apply([{ type: 'organization.import', members, aliases, groups: made }])
  // The command `group.set` would take longer than the rest of this function.
  state.db.transaction(() =>
    state.db.run(
      `insert into group_member (group_name, member) select g.name, m.id
       from member_group g join (select id from member where kind = 'machine' order by id limit ?) m`,
      groupSize,
    ),
  )
  state.db.transaction(() =>
    state.db.run(
      `with recursive n(n) as (select 1 union all select n + 1 from n where n < 30)
       insert into project (member, name, seen_at, seen_steady)
       select m.id, 'project-' || n, ?1 + n, ?1 + n from member m, n where m.kind = 'machine'`,
      time,
    ),
  )

  const invite = (name: string, kind: JoinableKind, code: string): Command => {
    return { type: 'member.invite', name, kind, codeHash: hashJoinCode(code).toString('base64'), lifeS: 600 }
  }
  const join_ = (name: string, role: JoinableKind): string => {
    const token = mintToken(role)
    const codeHash = hashJoinCode(`code of ${name}`).toString('base64')
    const tokenHash = hashToken(token).toString('base64')
    apply([
      invite(name, role, `code of ${name}`),
      { type: 'member.join', name, codeHash, tokenId: parseToken(token)!.id, tokenHash, role },
    ])
    return token
  }
  const [machine, human] = [join_('m0', 'machine'), join_('h0', 'human')]
  const code = 'ABCD-EFGH-JKMN-PQRS'
  apply([invite('newcomer', 'machine', code)])

  const webhook = 'a secret'
  const secretHash = createHash('sha256').update(webhook).digest('base64')
  const webhooks = ['called', 'hook'].map((name, index): Command => {
    return {
      type: 'webhook.add',
      name,
      source: 'generic',
      to: ['m9'],
      secretHash: index === 0 ? secretHash : `${index}`,
    }
  })
  apply(webhooks)

  const ids = new Map(all.map(name => [name, memberByName(state.db, name)!.id]))
  const send = (by: string, to: string, body: string): Command & { type: 'message.send' } => {
    return { type: 'message.send', id: newMessageId(), by: ids.get(by)!, to: [to], body, intent: 'request' }
  }
  // The inbox begins with texts that take six times their size as JSON. Most of the others contain no word, so they are quick to index.
  const other = (n: number) => `m${1 + (n % (machines - 1))}`
  const text = (n: number) => (n % 20 === 0 ? `bab babel word ${n}` : '...')
  const toReader = many(8000, n => send(other(n), 'm0', n < 60 ? '\u0001'.repeat(32_768) : text(n)))
  const fromReader = many(500, n => send('m0', other(n), text(n)))
  const acks = fromReader.map(({ to, id }): Command => ({ type: 'inbox.ack', by: ids.get(to[0]!)!, ids: [id] }))
  const others = many(11_497, n => send(other(n), other(n + 900), text(n)))
  const toAll = many(3, n => send('m0', 'all', `question ${n}`))
  apply([...toReader, ...fromReader, ...acks, ...others, ...toAll])
  while (indexSome(state.db));
  using words = new WordIndex(join(dataDir, wordIndexFile), state.db)
  while (words.step().more);
  return {
    machine,
    human,
    code,
    webhook: `/webhooks/called/${encodeURIComponent(webhook)}`,
    toAll: toAll[0]!.id,
    start: formatCursor({ epoch: state.position.epoch, seq: 0 }),
    owner: ids.get('h0')!,
    reader: ids.get('m0')!,
    afterLong: state.db.get<{ seq: number }>('select seq from message where id = ?', toReader[60]!.id)!.seq,
    unread: toReader.slice(0, 100).map(({ id }) => id),
    members: all.length,
    messages: toReader.length + fromReader.length + others.length + toAll.length,
  }
}

function many<T>(count: number, make: (n: number) => T): T[] {
  return Array.from({ length: count }, (_, n) => make(n))
}
