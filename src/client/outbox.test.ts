import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ClaudeNetError, type ErrorCode } from '../protocol/errors.ts'
import { lookupForm } from '../protocol/names.ts'
import { Home } from './home.ts'
import type { HubClient } from './hub-client.ts'
import { Outbox } from './outbox.ts'

interface Posted {
  to: string[]
  body: string
}

/** A hub with bob (alias robert), carl, dora and the group `builders` (bob, carl) that refuses what `refuse` selects. */
class FakeHub {
  readonly stored: Posted[] = []
  /** Number of sends that it received. */
  asked = 0
  isAway = false
  /** Whether `GET /v1/machines` lists groups, which older hubs do not. */
  knowsGroups = true
  refuse: (message: Posted) => ClaudeNetError | undefined = () => undefined

  get client(): HubClient {
    const transport = {
      request: () =>
        this.isAway ? Promise.reject(away()) : Promise.resolve({ statusCode: 200, on: () => ({ resume: () => {} }) }),
    }
    return {
      call: (route: { path: string }, request: { body: never }) => this.#answer(route.path, request?.body),
      transport,
    } as never
  }

  get bodies(): string[] {
    return this.stored.map(({ body }) => body)
  }

  async #answer(path: string, body: { id: string; to: string | string[]; body: string }): Promise<unknown> {
    if (this.isAway) throw away()
    if (path === '/v1/machines') return this.#members()
    const message = { to: [body.to].flat().map(lookupForm), body: body.body }
    this.asked++
    const refusal = this.refuse(message)
    if (refusal) throw refusal
    this.stored.push(message)
    const refused = this.full.filter(name => message.to.includes(name) || message.to.includes('builders'))
    const recipients = refused.map(name => ({ name, status: 'refused', reason: `The inbox of ${name} is full.` }))
    return { id: body.id, recipients }
  }

  #members() {
    const members = ['bob', 'carl', 'dora', 'me'].map(name => ({
      name,
      kind: 'machine',
      aliases: name === 'bob' ? ['robert'] : [],
    }))
    return { you: 'me', members, ...(this.knowsGroups && { groups: [{ name: 'builders', members: ['bob', 'carl'] }] }) }
  }

  /** Members whose inboxes are full: messages to them alone are refused for now. */
  full: string[] = []
  fill(...names: string[]): void {
    this.full = names
    this.refuse = ({ to }) => {
      const members = to.flatMap(name => (name === 'robert' ? ['bob'] : name === 'builders' ? ['bob', 'carl'] : [name]))
      return members.every(name => names.includes(name)) ? full(members[0]!) : undefined
    }
  }
}

function away(code = 'ECONNREFUSED', syscall: string | undefined = 'connect'): ClaudeNetError {
  const error = new ClaudeNetError('unavailable', `The hub cannot be reached: ${code}.`, 'Later.')
  return Object.assign(error, { cause: Object.assign(new Error(code), { code, syscall }) })
}

function full(name: string): ClaudeNetError {
  return new ClaudeNetError('rate_limited', `The inbox of ${name} is full.`, 'Later.', 60_000)
}

function setting() {
  const dir = mkdtempSync(join(tmpdir(), 'claude-net-outbox-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const home = new Home(dir)
  const hub = new FakeHub()
  /** Another process of the same machine, which shares only the files. */
  const open = () => new Outbox(home, hub.client)
  const keep = async (...sends: [to: string | string[], body: string][]) => {
    hub.isAway = true
    for (const [to, body] of sends) expect(await open().send({ to, body })).toMatchObject({ kept: true })
    hub.isAway = false
  }
  /** Makes the waiting file with this number older than `patienceMs`. */
  const age = (index: number) => {
    const file = join(home.outboxDir, open().waiting()[index]!)
    utimesSync(file, 1, 1)
  }
  return { home, hub, open, keep, age }
}

test('a message for a full inbox does not block kept or new messages to others, and stays ahead of later ones to the same recipient', async () => {
  const { hub, open, keep } = setting()
  await keep(['bob', 'one'], ['carl', 'two'], ['bob', 'three'], ['dora', 'four'])
  hub.fill('bob')
  const { decided, waiting, why } = await open().drain()
  expect([hub.bodies, decided.size, waiting, why]).toEqual([['two', 'four'], 2, 2, 'The inbox of bob is full.'])
  expect(await open().send({ to: 'carl', body: 'new' })).toMatchObject({ kept: false })
  expect(await open().send({ to: 'Bob', body: 'five' })).toMatchObject({ kept: true, behind: true, waiting: 3, why })
  hub.fill()
  expect((await open().drain()).waiting).toBe(0)
  expect(hub.bodies).toEqual(['two', 'four', 'new', 'one', 'three', 'five'])
})

test.each([
  ['an alias of its recipient', 'robert', true],
  ['a group with its recipient', 'builders', true],
  ['a list with its recipient', ['dora', 'bob'], true],
  ['all', 'all', true],
  ['another member', 'dora', false],
  ['a list of others', ['dora', 'carl'], false],
] as const)('a message to %s is kept behind a waiting one: %s, %s', async (_, to, waits) => {
  const { hub, open, keep } = setting()
  await keep(['bob', 'first'])
  hub.fill('bob')
  const later = { to: [to].flat(), body: 'later' }
  expect(await open().send(later)).toMatchObject({ kept: waits })
  hub.fill()
  await open().drain()
  expect(hub.bodies).toEqual(waits ? ['first', 'later'] : ['later', 'first'])
})

test('with a hub that does not list its groups, a send to a name that may be a group waits', async () => {
  const { hub, open, keep } = setting()
  hub.knowsGroups = false
  await keep(['builders', 'to both'], ['dora', 'may be one of them'])
  hub.refuse = ({ to }) => (to.includes('builders') ? full('builders') : undefined)
  expect((await open().drain()).waiting).toBe(2)
  expect(await open().send({ to: 'carl', body: 'may be one, too' })).toMatchObject({ kept: true })
  hub.refuse = () => undefined
  await open().drain()
  expect(hub.bodies).toEqual(['to both', 'may be one of them', 'may be one, too'])
})

test('a send to several waits at most a minute for one of them, and the messages that it passes are retried before it', async () => {
  const { hub, open, keep, age } = setting()
  await keep(['bob', 'one'], ['builders', 'two'])
  hub.fill('bob')
  expect((await open().drain()).waiting).toBe(2)
  age(1)
  await open().drain()
  expect(hub.bodies).toEqual(['two'])
  expect(open().takeRefused()).toMatchObject([{ to: ['bob'], error: { message: 'The inbox of bob is full.' } }])

  await keep(['builders', 'three'])
  const session = open()
  await session.drain()
  age(1)
  hub.fill()
  // This session does not retry it for another minute; but it is not to be passed.
  await session.drain()
  expect(hub.bodies).toEqual(['two', 'one', 'three'])
})

test('a message whose recipients are unknown blocks others for a minute at most', async () => {
  const { hub, open, keep, age } = setting()
  hub.knowsGroups = false
  await keep(['builders', 'one'], ['dora', 'two'], ['builders', 'three'])
  hub.refuse = ({ to }) => (to.includes('builders') ? full('builders') : undefined)
  age(0)
  await open().drain()
  expect(hub.bodies).toEqual(['two'])
})

test('a kept message waits while a brake is on, is sent when it ends, and is never reported as refused', async () => {
  const { hub, open, keep } = setting()
  await keep(['bob', 'one'], ['carl', 'two'])
  const brake = new ClaudeNetError('rate_limited', 'Mail between you and bob is stopped.', 'Look.', 600_000, true)
  hub.refuse = ({ to }) => (to.includes('bob') ? brake : undefined)
  expect(await open().drain()).toMatchObject({ waiting: 1, why: 'Mail between you and bob is stopped.' })
  hub.refuse = () => undefined
  await open().drain()
  expect([hub.bodies, open().refusals.all()]).toEqual([['two', 'one'], []])
})

test('within one process a message is not retried for as long as the hub requires, and others are', async () => {
  const { hub, open, keep } = setting()
  await keep(['bob', 'one'])
  hub.fill('bob')
  const session = open()
  for (let n = 0; n < 3; n++) await session.drain()
  expect(hub.asked).toBe(1)
  expect(await session.send({ to: 'carl', body: 'two' })).toMatchObject({ kept: false })
})

test('a limit on the machine itself, reported in the same words for another recipient, ends the attempt', async () => {
  const { hub, open, keep } = setting()
  await keep(['bob', '1'], ['carl', '2'], ['dora', '3'])
  hub.refuse = () => new ClaudeNetError('rate_limited', 'Too many messages with this token.', 'Later.', 500)
  expect(await open().drain()).toMatchObject({ waiting: 3, why: 'Too many messages with this token.' })
  expect(hub.asked).toBe(2)
})

test('a message without a response from a healthy hub blocks only its own recipient', async () => {
  const { hub, open, keep } = setting()
  await keep(['bob', '1'], ['carl', '2'], ['dora', '3'])
  hub.refuse = ({ to }) => (to.includes('bob') ? away('ETIMEDOUT', 'read') : undefined)
  expect((await open().drain()).waiting).toBe(1)
  expect(hub.bodies).toEqual(['2', '3'])
})

test('an unreachable hub is tried once', async () => {
  const { hub, open, keep } = setting()
  await keep(['bob', '1'], ['carl', '2'])
  hub.refuse = () => away()
  expect(await open().drain()).toMatchObject({ waiting: 2, refusesUs: false })
  expect(hub.asked).toBe(1)
})

test.each<ErrorCode>(['unauthorized', 'forbidden'])(
  'if the hub responds with %s to everything, a new send is refused and kept messages stay',
  async code => {
    const { hub, open, keep } = setting()
    await keep(['bob', 'one'])
    hub.refuse = () => new ClaudeNetError(code, 'This token was ended.', 'Join again.')
    for (const to of ['bob', 'carl']) await expect(open().send({ to, body: 'two' })).rejects.toMatchObject({ code })
    expect(await open().drain()).toMatchObject({ waiting: 1, refusesUs: true, why: 'This token was ended.' })
  },
)

test('a kept message that causes internal errors in the hub is given up and reported after an hour, so that others follow', async () => {
  const { hub, open, keep, age } = setting()
  await keep(['bob', 'one'], ['bob', 'two'])
  hub.refuse = ({ body }) => (body === 'one' ? new ClaudeNetError('internal', 'The hub failed.', 'Log.') : undefined)
  expect((await open().drain()).waiting).toBe(2)
  age(0)
  expect((await open().drain()).waiting).toBe(0)
  expect([hub.bodies, open().takeRefused()]).toMatchObject([
    ['two'],
    [{ to: 'bob', error: { message: 'The hub failed.' } }],
  ])
})

test('a refusal is reported once to the sessions and once to the commands of its machine', async () => {
  const { hub, open, keep } = setting()
  await keep(['bobb', 'one'])
  hub.refuse = () =>
    new ClaudeNetError('not_found', "No member is called 'bobb'.", 'Did you mean bob?', undefined, true)
  await open().drain()
  const told = [{ to: 'bobb', error: { code: 'not_found' } }]
  for (const expected of [told, []]) expect(open().refusals.takeToPrint()).toMatchObject(expected)
  for (const expected of [told, []]) expect(open().takeRefused()).toMatchObject(expected)
  expect(open().refusals.takeToPrint()).toEqual([])
  expect(open().refusals.all()).toMatchObject(told)
})

test('a send that can be neither sent nor kept fails, with a hint how to repeat it if it may have been sent', async () => {
  const { home, hub, open } = setting()
  writeFileSync(home.outboxDir, 'no directory')
  hub.refuse = () => away()
  await expect(open().send({ to: 'bob', body: 'one' })).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringMatching(
      /^Not sent\. The hub cannot be reached: ECONNREFUSED\. It could not be kept in .*outbox: /,
    ),
  })
  hub.refuse = () => away('ETIMEDOUT', 'read')
  const id = '01990000-0000-7000-8000-000000000001'
  await expect(open().send({ id, to: 'bob', body: 'one' })).rejects.toMatchObject({
    message: expect.stringMatching(/^Perhaps not sent: no response came\./),
    hint: expect.stringContaining(`claude-net send --id ${id}`),
  })
})

test('the next attempt removes the unfinished files of a killed process, but not those of a running one', async () => {
  const { home, open, keep } = setting()
  await keep(['bob', 'one'])
  const write = (name: string, secondsAgo: number) => {
    const file = join(home.outboxDir, name)
    writeFileSync(file, 'a text')
    utimesSync(file, Date.now() / 1000 - secondsAgo, Date.now() / 1000 - secondsAgo)
  }
  const deadPid = 2 ** 22 - 1
  write(`000000000002-x.json.${deadPid}.new`, 5)
  write(`000000000003-x.json.${deadPid}.new`, 0)
  write('000000000004-x.json.1.new', 5)
  write('000000000005-x.json.1.new', 120)
  await open().drain()
  expect(readdirSync(home.outboxDir)).toEqual([`000000000003-x.json.${deadPid}.new`, '000000000004-x.json.1.new'])
})
