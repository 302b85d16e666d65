import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Commit } from '../../src/hub/journal/journal.ts'
import type { Command, Outcome } from '../../src/hub/state/commands.ts'
import { dueLater } from '../../src/hub/state/query/later.ts'
import { State } from '../../src/hub/state/state.ts'
import { hashJoinCode, mintJoinCode } from '../../src/protocol/join-code.ts'
import { ensureStore } from '../support/empty-store.ts'
import { fingerprint } from '../support/golden.ts'
import { firstNames, Model, type Send } from '../support/model.ts'
import { expectSame } from '../support/model-check.ts'
import { tempDir } from '../support/temp.ts'
import type { OpenJournal } from './journal-suite.ts'

/** Time limit of the search for a counter-example, and of its shrinking, in ms. A busy machine tries fewer. */
const limitMs = 60_000

/** A journal that has committed `commits` since its history began. */
type Modelled = OpenJournal & { readonly commits: readonly Commit[] }

/** The clocks that a journal uses, in ms. */
interface Clocks {
  now: () => number
  monotonic: () => number
}

/** Tries `numRuns` sequences of commands over the journal that `open` makes, with its store in the given directory. */
export function modelSuite(
  name: string,
  open: (dir: string, clocks: Clocks) => Modelled | Promise<Modelled>,
  { numRuns, atLeast }: { numRuns: number; atLeast: number },
): void {
  test(`any sequence of sends, scheduled messages, reads, acks, projects, policies, names, tokens, expiries, deletions and crashes over ${name} leaves the state of the model`, {
    timeout: 4 * limitMs,
  }, async () => {
    const dir = tempDir('model')
    let runs = 0
    const property = fc.asyncProperty(fc.commands(commands, { maxCommands: 40, size: 'max' }), async sequence => {
      const runDir = join(dir, String(++runs))
      mkdirSync(runDir)
      const model = new Model()
      const real = await open(runDir, { now: () => model.now, monotonic: () => model.steady })
      try {
        await addMembers(real, model)
        await fc.asyncModelRun(() => ({ model, real }), sequence)
        if (runs % 5 === 1) expectSameWhenReplayed(real, join(runDir, 'replayed.db'))
      } finally {
        await real.close()
      }
      rmSync(runDir, { recursive: true })
    })
    await fc.assert(property, { numRuns, interruptAfterTimeLimit: limitMs })
    expect(runs).toBeGreaterThan(atLeast)
  })
}

/** Expects the committed entries, replayed into an empty store, to produce the same rows and outcomes. */
function expectSameWhenReplayed({ state, commits }: Modelled, path: string): void {
  ensureStore(path)
  using replayed = new State(path)
  replayed.replay(commits.flatMap(({ entries }) => entries))
  expect(fingerprint(replayed.db)).toBe(fingerprint(state.db))
  expect(replayed.position.outcomes).toBe(state.position.outcomes)
}

type Step = fc.AsyncCommand<Model, Modelled>

/** Ids of messages: few, so that they are reused, with the same content and with other content. */
const ids = Array.from({ length: 8 }, (_, index) => `00000000-0000-7000-8000-${String(index).padStart(12, '0')}`)

/** Names for members, aliases and groups: few, so that they compete. */
const names = [...firstNames, 'kit', 'lee', 'team', 'crew']

const tokens = ['token0', 'token1', 'token2']
const codes = ['code0', 'code1', 'code2'].map(code => hashJoinCode(code).toString('base64'))

const member = fc.integer({ min: 1, max: firstNames.length })
const id = fc.constantFrom(...ids)
const someIds = fc.uniqueArray(id, { minLength: 1, maxLength: 5 })
const name = fc.constantFrom(...names)
const project = fc.constantFrom('web', 'shop')
const scope = fc.option(fc.constantFrom('', 'web', 'shop'), { nil: undefined })
const address = fc.tuple(fc.constantFrom(...names, 'all'), project).map(([name, project]) => `${name}/${project}`)
const recipients: fc.Arbitrary<string[]> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom(...firstNames)) },
  { weight: 2, arbitrary: fc.tuple(name) },
  { weight: 2, arbitrary: fc.array(name, { minLength: 2, maxLength: 4 }) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('all')) },
  { weight: 1, arbitrary: fc.tuple(name, fc.constant('all')) },
  { weight: 1, arbitrary: fc.tuple(name, fc.constant('nobody')) },
  { weight: 3, arbitrary: fc.array(address, { minLength: 1, maxLength: 2 }) },
  { weight: 1, arbitrary: fc.tuple(address, fc.constantFrom('all', ...names)) },
)
const send: fc.Arbitrary<Send> = fc.record({
  type: fc.constant('message.send' as const),
  id,
  by: member,
  to: recipients,
  body: fc.constantFrom('one', 'two', 'a\0b 👋'),
  replyTo: fc.option(id, { freq: 4, nil: undefined }),
  intent: fc.option(fc.constantFrom('request' as const, 'inform' as const, 'urgent' as const), { nil: undefined }),
  expiresInS: fc.option(fc.integer({ min: 1, max: 20 }), { freq: 3, nil: undefined }),
  withinS: fc.option(fc.integer({ min: 1, max: 20 }), { freq: 3, nil: undefined }),
  fromProject: scope,
})

const commands: fc.Arbitrary<Step>[] = [
  send.map(command => step('send', command, (model, real) => expectSent(model, real, [command]))),
  fc
    .array(send, { minLength: 2, maxLength: 6 })
    .map(burst => step('send at once', burst, (model, real) => expectSent(model, real, burst))),
  fc.tuple(send, fc.integer({ min: -2, max: 15 })).map(args =>
    step('send for later', args, (model, real) => {
      const [command, seconds] = args
      return expectSent(model, real, [{ ...command, at: model.now + seconds * 1000 }])
    }),
  ),
  fc.tuple(fc.nat(), fc.option(member, { freq: 3, nil: undefined })).map(args =>
    step('cancel what waits', args, (model, real) => {
      const [which, other] = args
      const sent = [...model.later, ...model.messages]
      const command = sent[which % (2 * model.later.length || sent.length || 1)]?.command
      if (!command) return undefined
      const by = other ?? command.by
      return expectDone(real, { type: 'later.cancel', by, id: command.id }, () => model.cancel(by, command.id))
    }),
  ),
  fc.tuple(fc.nat(), fc.option(fc.constantFrom('one', 'other'), { nil: undefined })).map(args =>
    step('send again', args, (model, real) => {
      const [which, body] = args
      const sent = [...model.messages, ...model.later]
      const earlier = sent[which % sent.length]?.command
      return earlier && expectSent(model, real, [{ ...earlier, body: body ?? earlier.body }])
    }),
  ),
  fc
    .record({
      type: fc.constant('inbox.fetched' as const),
      by: member,
      ids: someIds,
      session: fc.constantFrom('s1', 's2'),
      project: scope,
    })
    .map(command => plain(command, model => model.fetched(command.by, command.ids, command.session, command.project))),
  fc
    .record({ type: fc.constant('project.see' as const), by: member, project })
    .map(command => plain(command, model => model.see(command.by, command.project))),
  fc
    .record({
      type: fc.constant('inbox.told' as const),
      by: member,
      ids: someIds,
      session: fc.constant('s1'),
      how: fc.constantFrom('hook', 'wake'),
    })
    .map(command => plain(command, model => model.told(command.by, command.ids, command.how))),
  fc
    .record({ type: fc.constant('inbox.ack' as const), by: member, ids: someIds, project: scope })
    .map(command => plain(command, model => model.ack(command.by, command.ids, command.project))),
  fc
    .record({
      type: fc.constant('member.policy' as const),
      by: member,
      inbound: fc.option(fc.constantFrom('accept', 'hold', 'refuse'), { nil: undefined }),
      mute: fc.option(fc.array(name, { maxLength: 2 }), { nil: undefined }),
    })
    .map(command => plain(command, model => model.policy(command.by, command.inbound, command.mute))),
  fc
    .record({ type: fc.constant('member.rename' as const), name, to: name })
    .map(command => plain(command, model => model.rename(command.name, command.to))),
  fc
    .record({ type: fc.constant('alias.set' as const), alias: name, member: name })
    .map(command => plain(command, model => model.setAlias(command.alias, command.member))),
  fc
    .record({ type: fc.constant('alias.remove' as const), alias: name })
    .map(command => plain(command, model => model.removeAlias(command.alias))),
  fc
    .record({ type: fc.constant('group.set' as const), group: name, members: fc.array(name, { maxLength: 3 }) })
    .map(command => plain(command, model => model.setGroup(command.group, command.members))),
  fc
    .record({ type: fc.constant('group.remove' as const), group: name })
    .map(command => plain(command, model => model.removeGroup(command.group))),
  fc.tuple(member, fc.constantFrom(...codes), fc.integer({ min: 1, max: 20 })).map(args =>
    step('invite', args, async (model, real) => {
      const [invited, codeHash, lifeS] = args
      if (model.isKnownCode(codeHash)) return
      model.invite(invited, codeHash, lifeS)
      const [name, kind] = [model.nameOf(invited), model.kindOf(invited)]
      const outcome = await real.journal.submit({ type: 'member.invite', name, kind, codeHash, lifeS })
      const expiresAt = model.now + lifeS * 1000
      expect(outcome).toMatchObject({ ok: true, result: { name, expiresAt, renewed: true } })
    }),
  ),
  fc.tuple(member, fc.constantFrom(...codes), fc.constantFrom(...tokens)).map(args =>
    step('join', args, (model, real) => {
      const [joining, codeHash, tokenId] = args
      const name = model.nameOf(joining)
      const tokenHash = hashJoinCode(tokenId).toString('base64')
      const role = model.kindOf(model.ownerOf(codeHash) ?? joining)
      return expectDone(real, { type: 'member.join', name, codeHash, tokenId, tokenHash, role }, () =>
        model.join(name, codeHash, tokenId),
      )
    }),
  ),
  fc
    .record({ type: fc.constant('member.revoke' as const), name })
    .map(command => plain(command, model => model.revoke(command.name))),
  // Whole seconds, so that an expiry is often reached to the millisecond.
  fc.nat({ max: 12 }).map(seconds =>
    step('time goes on and a tick comes', seconds, async (model, real) => {
      model.now += seconds * 1000
      model.steady += seconds * 1000
      await expectDelivered(model, real)
      return expectDone(real, { type: 'clock.tick' }, () => ({ expired: model.tick(), more: false }))
    }),
  ),
  // Whole months and some days, so that nothing is due exactly then: the time of a deletion need not be exact after the clock was set back.
  fc.constantFrom(1, 4).map(months =>
    step('months go by and ticks come', months, async (model, real) => {
      for (let month = 0; month < months; month++) {
        model.now += 31 * 86_400_000
        model.steady += 31 * 86_400_000
        await expectDelivered(model, real)
        await expectDone(real, { type: 'clock.tick' }, () => ({ expired: model.tick(), more: false }))
      }
    }),
  ),
  fc.integer({ min: 1, max: 5 }).map(seconds =>
    step('the clock is set back', seconds, async model => {
      model.now -= seconds * 1000
    }),
  ),
  fc.constant(step('crash', undefined, (_, real) => real.crash())),
  fc.constant(step('restart', undefined, (_, real) => real.reopen())),
]

/** Returns a step of the sequence, which is applied to model and journal; then both are compared. */
function step(title: string, args: unknown, run: (model: Model, real: Modelled) => Promise<void> | undefined): Step {
  return {
    check: () => true,
    run: async (model, real) => {
      await run(model, real)
      expectSame(model, real.state, tokens)
    },
    toString: () => (args === undefined ? title : `${title} ${JSON.stringify(args)}`),
  }
}

/** Returns a command that succeeds, or is refused with a code, as in the model. */
function plain(command: Command, inModel: (model: Model) => unknown): Step {
  return step(command.type, command, (model, real) => expectDone(real, command, () => inModel(model)))
}

async function expectDone(real: Modelled, command: Command, inModel: () => unknown): Promise<void> {
  const expected = inModel()
  const outcome = await real.journal.submit(command)
  expect(outcome.ok ? outcome.result : outcome.refusal.code).toEqual(expected)
}

/** Submits messages in one turn, so that they share a transaction, and compares each outcome. */
async function expectSent(model: Model, real: Modelled, sends: Send[]): Promise<void> {
  const before = real.state.position.seq
  const expected = sends.map(command => model.send(command))
  const outcomes = await Promise.all(sends.map(command => real.journal.submit(command)))
  expect(outcomes.map(whatBecame)).toEqual(expected)
  for (const [index, outcome] of outcomes.entries()) {
    if (!outcome.ok) continue
    const waiting = model.later.find(({ command }) => command.id === sends[index]!.id)
    if (waiting) {
      expect(outcome.result).toMatchObject({ at: waiting.command.at, sentAt: waiting.writtenAt })
      continue
    }
    const { command, sentAt, writtenAt, deliveries } = model.messages.find(
      ({ command }) => command.id === sends[index]!.id,
    )!
    const { id, sentAt: realSentAt, recipients, seq } = outcome.result
    expect({ id, sentAt: realSentAt }).toEqual({ id: command.id, sentAt })
    if (writtenAt !== undefined) expect(outcome.result.repeated).toBe(true)
    expect(recipients.map(({ member, status }) => [member, status])).toEqual(
      [...deliveries].map(([member, { status }]) => [member, status === 'refused' ? 'refused' : 'stored']),
    )
    if (expected[index] === 'stored') expect(seq).toBeGreaterThan(before)
  }
}

function whatBecame(outcome: Outcome<Send>): string {
  if (!outcome.ok) return outcome.refusal.code
  if (outcome.result.repeated) return 'repeated'
  return outcome.result.at === undefined ? 'stored' : 'later'
}

/** Delivers scheduled messages that are due, as a hub does each second. */
async function expectDelivered(model: Model, real: Modelled): Promise<void> {
  const { db, applied } = real.state
  const due = dueLater(db, Math.max(applied.steady, model.steady), 100)
  const expected = model.deliver()
  const outcomes = await Promise.all(due.map(id => real.journal.submit({ type: 'later.deliver', id })))
  expect(outcomes.map(outcome => outcome.ok && outcome.result.became)).toEqual(expected)
  for (const id of due)
    expect(await real.journal.submit({ type: 'later.deliver', id })).toMatchObject({ result: { became: 'nothing' } })
}

async function addMembers(real: Modelled, model: Model): Promise<void> {
  const outcomes = await Promise.all(
    model.names.map((name, index) =>
      real.journal.submit({
        type: 'member.invite',
        name,
        kind: model.kindOf(index + 1),
        codeHash: hashJoinCode(mintJoinCode()).toString('base64'),
        lifeS: 600,
      }),
    ),
  )
  expect(outcomes.every(({ ok }) => ok)).toBe(true)
  // In a short sequence, a project would rarely be seen before a message is sent to it.
  for (const [by, project] of [
    [1, 'web'],
    [1, 'shop'],
    [2, 'web'],
  ] as const) {
    model.see(by, project)
    await real.journal.submit({ type: 'project.see', by, project })
  }
}
