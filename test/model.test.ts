import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Command, Outcome } from '../src/hub/state/commands.ts'
import { changesAfter } from '../src/hub/state/query-changes.ts'
import { unreadAfter, unreadCount, unreadCountAfter } from '../src/hub/state/query-inbox.ts'
import { messageFor } from '../src/hub/state/query-messages.ts'
import type { State } from '../src/hub/state/state.ts'
import { timestamp } from '../src/hub/state/timestamp.ts'
import { hashJoinCode, mintJoinCode } from '../src/protocol/join-code.ts'
import { OpenLocalJournal } from './support/local-journal.ts'
import { humans, Model, type ModelDelivery, type ModelMessage, members, nameOf, type Send } from './support/model.ts'
import { tempDir } from './support/temp.ts'

/** How long the search for a counter-example, and for the shortest one, may take, in ms. */
const limitMs = 120_000

test('any sequence of sends, reads, acks, expiries and crashes leaves what the model says', {
  timeout: 2 * limitMs,
}, async () => {
  const dir = tempDir('model')
  let runs = 0
  const property = fc.asyncProperty(fc.commands(commands, { maxCommands: 30, size: 'max' }), async sequence => {
    const runDir = join(dir, String(++runs))
    mkdirSync(runDir)
    const model = new Model()
    const real = await openWithMembers(runDir, model)
    try {
      await fc.asyncModelRun(() => ({ model, real }), sequence)
    } finally {
      await real.close()
    }
    rmSync(runDir, { recursive: true })
  })
  await fc.assert(property, { numRuns: 200, interruptAfterTimeLimit: limitMs, markInterruptAsFailure: true })
})

type Step = fc.AsyncCommand<Model, OpenLocalJournal>

/** Ids that messages may get: so few that they are used again and again, with the same content and with other. */
const ids = Array.from({ length: 8 }, (_, index) => `00000000-0000-7000-8000-${String(index).padStart(12, '0')}`)

const member = fc.integer({ min: 1, max: members.length })
const id = fc.constantFrom(...ids)
const someIds = fc.uniqueArray(id, { minLength: 1, maxLength: 5 })
const name = fc.constantFrom(...members)
const recipients: fc.Arbitrary<string[]> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(name) },
  { weight: 2, arbitrary: fc.array(name, { minLength: 2, maxLength: 4 }) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('all')) },
  { weight: 1, arbitrary: fc.tuple(name, fc.constant('all')) },
  { weight: 1, arbitrary: fc.tuple(name, fc.constant('nobody')) },
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
})

const commands: fc.Arbitrary<Step>[] = [
  send.map(command => step('send', command, (model, real) => expectSent(model, real, [command]))),
  fc
    .array(send, { minLength: 2, maxLength: 6 })
    .map(burst => step('send at once', burst, (model, real) => expectSent(model, real, burst))),
  fc.tuple(fc.nat(), fc.option(fc.constantFrom('one', 'other'), { nil: undefined })).map(args =>
    step('send again', args, (model, real) => {
      const [which, body] = args
      const earlier = model.messages[which % model.messages.length]?.command
      return earlier && expectSent(model, real, [{ ...earlier, body: body ?? earlier.body }])
    }),
  ),
  fc
    .record({
      type: fc.constant('inbox.fetched' as const),
      by: member,
      ids: someIds,
      session: fc.constantFrom('s1', 's2'),
    })
    .map(command =>
      step('fetched', command, async (model, real) => {
        const expected = model.fetched(command.by, command.ids, command.session)
        expect(await submit(real, command)).toEqual(expected)
      }),
    ),
  fc.record({ type: fc.constant('inbox.ack' as const), by: member, ids: someIds }).map(command =>
    step('ack', command, async (model, real) => {
      const expected = model.ack(command.by, command.ids)
      expect(await submit(real, command)).toEqual(expected)
    }),
  ),
  // Whole seconds, so that an end is often met to the millisecond.
  fc.nat({ max: 12 }).map(seconds =>
    step('time goes on and a tick comes', seconds, async (model, real) => {
      model.now += seconds * 1000
      const expired = model.tick()
      expect(await submit(real, { type: 'clock.tick' })).toEqual({ expired, more: false })
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

/** One command of the sequence: does it to both, then compares all that can be read. */
function step(
  title: string,
  args: unknown,
  run: (model: Model, real: OpenLocalJournal) => Promise<void> | undefined,
): Step {
  return {
    check: () => true,
    run: async (model, real) => {
      await run(model, real)
      expectSame(model, real.state)
    },
    toString: () => (args === undefined ? title : `${title} ${JSON.stringify(args)}`),
  }
}

/** Submits them in one turn, so that they share a transaction, and compares each outcome. */
async function expectSent(model: Model, real: OpenLocalJournal, sends: Send[]): Promise<void> {
  const before = real.state.position.seq
  const expected = sends.map(command => model.send(command))
  const outcomes = await Promise.all(sends.map(command => real.journal.submit(command)))
  expect(outcomes.map(whatBecame)).toEqual(expected)
  for (const [index, outcome] of outcomes.entries()) {
    if (!outcome.ok) continue
    const { command, sentAt, deliveries } = model.messages.find(({ command }) => command.id === sends[index]!.id)!
    const { id, sentAt: realSentAt, recipients, seq } = outcome.result
    expect({ id, sentAt: realSentAt }).toEqual({ id: command.id, sentAt })
    expect(recipients.map(({ name, status }) => `${name} ${status}`)).toEqual(
      [...deliveries.keys()].map(name => `${name} stored`),
    )
    if (expected[index] === 'stored') expect(seq).toBeGreaterThan(before)
  }
}

function whatBecame(outcome: Outcome<Send>): string {
  if (!outcome.ok) return outcome.refusal.code
  return outcome.result.repeated ? 'repeated' : 'stored'
}

async function submit<C extends Command>(real: OpenLocalJournal, command: C) {
  const outcome = await real.journal.submit(command)
  if (!outcome.ok) throw new Error(`${command.type} was refused: ${outcome.refusal.message}`)
  return outcome.result
}

/** Every inbox, message and receipt, as each member sees it. */
function expectSame(model: Model, { db }: State): void {
  for (const [index, name] of members.entries()) {
    const member = index + 1
    const inbox = unreadAfter(db, member, 0, 1000)
    same(
      inbox.map(({ seq: _, ...message }) => message),
      model.inbox(name).map(message => inInbox(message, name)),
    )
    const seqs = inbox.map(({ seq }) => seq)
    same(
      seqs,
      [...new Set(seqs)].sort((a, b) => a - b),
    )
    expect(unreadCount(db, member)).toBe(inbox.length)
    const middle = seqs[Math.floor(seqs.length / 2)] ?? 0
    expect(unreadCountAfter(db, member, middle)).toBe(seqs.filter(seq => seq > middle).length)
    same(
      inPages(after => unreadAfter(db, member, after, 2)),
      inbox,
    )

    const news = changesAfter(db, member, { deliveries: 0, receipts: 0 }, 1000)
    same(
      inPages(after => changesAfter(db, member, { deliveries: after, receipts: after }, 2)),
      news,
    )
    same(
      news.filter(({ kind }) => kind === 'delivery').map(({ id }) => id),
      inbox.map(({ id }) => id),
    )
    const receipts = news.flatMap(change =>
      change.kind === 'receipt' ? [`${change.id} ${change.recipient} ${change.status}`] : [],
    )
    same(receipts.sort(), expectedReceipts(model, member).sort())

    for (const { command, deliveries } of model.messages) {
      const seen = messageFor(db, member, command.id)?.deliveries.map(({ member: _, kind: __, ...receipt }) => receipt)
      const all = [...deliveries].map(([name, delivery]) => asReceipt(name, delivery))
      const shown = command.by === member ? all : all.filter(receipt => receipt.name === name)
      same(seen ?? [], shown)
    }
  }
}

/** What `expect` would say, but without its cost where there is nothing to say: this is asked a million times. */
function same(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected)
}

function inInbox({ command, sentAt, deliveries }: ModelMessage, reader: string) {
  const { id, by, to, body, replyTo, intent, expiresInS } = command
  const fetchedBy = deliveries.get(reader)!.fetchedBy
  return {
    id,
    from: nameOf(by),
    fromKind: humans.includes(nameOf(by)) ? 'human' : 'machine',
    to,
    sentAt: timestamp(sentAt),
    intent: intent ?? (to.includes('all') ? 'inform' : 'request'),
    body,
    ...(replyTo && { replyTo }),
    ...(expiresInS && { expiresAt: timestamp(sentAt + expiresInS * 1000) }),
    ...(fetchedBy && { fetchedBy: { session: fetchedBy.session, at: timestamp(fetchedBy.at) } }),
  }
}

function asReceipt(name: string, { status, fetchedBy, endedAt }: ModelDelivery) {
  return {
    name,
    status,
    ...(fetchedBy && { fetchedAt: timestamp(fetchedBy.at), fetchedBySession: fetchedBy.session }),
    ...(status === 'acked' && { ackedAt: timestamp(endedAt!) }),
    ...(status === 'expired' && { expiredAt: timestamp(endedAt!) }),
  }
}

/** What a follower of `member` who missed everything is told of its own messages: the newest state of each, once. */
function expectedReceipts(model: Model, member: number): string[] {
  return model.messages
    .filter(({ command }) => command.by === member)
    .flatMap(({ command, deliveries }) =>
      [...deliveries].flatMap(([name, { status }]) => (status === 'stored' ? [] : [`${command.id} ${name} ${status}`])),
    )
}

/** Reads page after page, each from the last seq of the one before. */
function inPages<Row extends { seq: number }>(read: (after: number) => Row[]): Row[] {
  const rows: Row[] = []
  for (;;) {
    const page = read(rows.at(-1)?.seq ?? 0)
    if (page.length === 0) return rows
    rows.push(...page)
  }
}

async function openWithMembers(dir: string, model: Model): Promise<OpenLocalJournal> {
  const opened = new OpenLocalJournal(dir)
  opened.now = () => model.now
  await Promise.all(
    members.map(name =>
      opened.journal.submit({
        type: 'member.invite',
        name,
        kind: humans.includes(name) ? 'human' : 'machine',
        codeHash: hashJoinCode(mintJoinCode()).toString('base64'),
        lifeS: 600,
      }),
    ),
  )
  return opened
}
