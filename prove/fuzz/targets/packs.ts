import { HistoryError, type Log, type LogRecord } from '../../../src/hub/journal/log.ts'
import { LogJournal } from '../../../src/hub/journal/log-journal.ts'
import { SteadyClock } from '../../../src/hub/journal/steady-clock.ts'
import { CannotReplay, type Mark, State } from '../../../src/hub/state/state.ts'
import { Broken, filledIn, jsonOf, type Target } from '../target.ts'
import { beginning, history, idOf, SmallStore } from './log-world.ts'

const pack = (...commands: object[]) => ({
  v: 1,
  rules: 1,
  time: beginning + 60_000,
  steady: beginning + 60_000,
  commands,
})

/** Records of a shared log: each is applied unchanged, or stops the hub with a reason; the same on all hubs. */
export const packs: Target = {
  name: 'packs',
  what: 'records of a replicated log, applied by two hubs',
  json: true,
  maxFiles: 24,
  dictionary: [
    ...[
      'v',
      'rules',
      'time',
      'steady',
      'commands',
      'failed',
      'id',
      'after',
      'offset',
      'hash',
      'outcomes',
      'type',
      'by',
      'to',
      'body',
      'ids',
      'session',
      'name',
      'kind',
      'owner',
      'codeHash',
      'at',
      'upTo',
      'notice',
      'project',
    ],
    ...[
      'message.send',
      'later.deliver',
      'later.cancel',
      'sender.tell',
      'inbox.fetched',
      'inbox.told',
      'inbox.ack',
      'project.see',
      'member.invite',
      'member.add',
      'member.own',
      'member.rename',
      'member.revoke',
      'member.delete',
      'member.policy',
    ],
    ...[
      'pair.brake',
      'pair.release',
      'alias.set',
      'alias.remove',
      'group.set',
      'group.remove',
      'organization.import',
      'member.join',
      'admin.token',
      'settings.set',
      'token.limit',
      'clock.tick',
      'telegram.receive',
      'telegram.handled',
      'webhook.add',
      'outgoing.add',
      'console.link',
    ],
    ...[
      'sean',
      'seanclaude',
      'chasclaude',
      'web',
      'all',
      idOf(1),
      idOf(2),
      idOf(3),
      'request',
      'urgent',
      'machine',
      'human',
    ],
  ],
  seeds: [
    [pack({ type: 'clock.tick' })],
    [
      { ...pack({ type: 'clock.tick' }), steady: beginning + 86_400_000, time: beginning + 86_400_000 },
      pack({ type: 'later.deliver', id: idOf(3) }),
    ],
    ...history.map(command => [pack(command)]),
    [
      pack(
        { type: 'member.rename', name: 'sean', to: 'shane' },
        { type: 'member.delete', name: 'chasclaude' },
        { type: 'member.revoke', name: 'seanclaude' },
      ),
    ],
    [
      pack(
        {
          type: 'pair.brake',
          from: 2,
          to: 3,
          until: beginning + 120_000,
          why: '{"messages":31}',
          notice: { id: idOf(9), body: 'stopped' },
        },
        { type: 'pair.release', one: 'seanclaude', other: 'chasclaude' },
      ),
    ],
    [
      pack({
        type: 'organization.import',
        members: [{ name: 'jaz', kind: 'human' }],
        aliases: [{ alias: 'j', member: 'jaz' }],
        groups: [{ group: 'p', members: ['jaz'] }],
      }),
    ],
    [
      pack(
        { type: 'later.cancel', by: 3, id: idOf(3) },
        { type: 'token.limit', days: 5 },
        { type: 'alias.remove', alias: 'chas' },
        { type: 'group.remove', group: 'web' },
      ),
    ],
    [{ ...pack({ type: 'clock.tick' }), after: { offset: 0, hash: '', outcomes: '' }, failed: [0] }],
    ['no pack', { v: 2, commands: [{}] }],
  ].map(each => JSON.stringify(each)),
  async open() {
    const store = new SmallStore()
    return {
      async run(input) {
        const given = filledIn(jsonOf(input))
        const records = (Array.isArray(given) ? given : [given])
          .slice(0, 6)
          .map(each => Buffer.from(typeof each === 'string' ? each : (JSON.stringify(each) ?? '')))
        const one = await replayed(store.copy('one.db'), records)
        if (one.error !== undefined && one.mark.offset - one.base >= records.length)
          throw new Broken(`the last record was applied, and then: ${one.error}`)
        const other = await replayed(store.copy('other.db'), records)
        if (JSON.stringify(one) !== JSON.stringify(other))
          throw new Broken(`two hubs come to ${JSON.stringify(one)} and ${JSON.stringify(other)}`)
      },
      close: async () => store.close(),
    }
  },
}

/** Opens a hub on the store `file` and applies the records. Throws any error that is not a reason to stop a hub. */
async function replayed(
  file: string,
  records: readonly Buffer[],
): Promise<{ base: number; mark: Mark; error?: string }> {
  using state = new State(file)
  const clock = new SteadyClock({ last: state.position, now: () => beginning + 120_000, monotonic: () => 0 })
  const base = state.position.offset
  const log = new FixedLog(state.position.epoch, base, records)
  let failed: unknown
  try {
    const journal = await LogJournal.open(state, log, { clock })
    await journal.close()
  } catch (error) {
    failed = error
  }
  if (failed !== undefined && !(failed instanceof HistoryError) && !(failed instanceof CannotReplay)) throw failed
  const { offset, hash, outcomes } = state.position
  const damage = state.db
    .all<{ quick_check: string }>('pragma quick_check')
    .find(({ quick_check }) => quick_check !== 'ok')
  if (damage) throw new Broken(`SQLite finds the store damaged: ${damage.quick_check}`)
  return { base, mark: { offset, hash, outcomes }, ...(failed instanceof Error && { error: failed.message }) }
}

/** A read-only log with these records after `base`. */
class FixedLog implements Log {
  readonly epoch: string
  readonly #base: number
  readonly #records: readonly Buffer[]

  constructor(epoch: string, base: number, records: readonly Buffer[]) {
    this.epoch = epoch
    this.#base = base
    this.#records = records
  }

  async first(): Promise<number> {
    return this.#records.length > 0 ? this.#base + 1 : 0
  }

  async last(): Promise<number> {
    return this.#base + this.#records.length
  }

  append(): Promise<boolean> {
    return Promise.reject(new Error('nobody appends here'))
  }

  async *follow(after: number, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
    const behind = this.#records.map((bytes, index) => ({ offset: this.#base + 1 + index, bytes }))
    yield behind.filter(({ offset }) => offset > after)
    await new Promise<void>(resolve =>
      signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true }),
    )
  }

  async trim(): Promise<void> {}
  async close(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}
