import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import type { ClaudeNetError } from '../src/protocol/errors.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import type { SendAnswer } from '../src/protocol/messages.ts'
import { startHub, TestHub, type TestMember } from './support/hub.ts'
import { Listener } from './support/listener.ts'
import { startMachine } from './support/machine.ts'
import { run } from './support/program.ts'
import { errorOf, raw } from './support/raw.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { until } from './support/until.ts'

/** Returns options that disable all limits except the brake, with these settings. */
function braked(loop: Record<string, number> = {}) {
  const off = { sends: null, pair: null, broadcasts: null, reads: null, failures: null, streamsPerToken: null }
  return { config: { limits: { ...off, loop } } }
}

const startBraked = (loop?: Record<string, number>) => startHub(braked(loop))
const fourBraked = emptiedHub(dataDir => new TestHub({ dataDir, ...braked({ messages: 4 }) }))

let texts = 0

function send(
  { client }: TestMember,
  to: string | string[],
  body = `text ${texts++}`,
  id?: string,
): Promise<SendAnswer> {
  return client.call(api.sendMessage, { body: { to, body, id } })
}

async function refusal(sending: Promise<unknown>): Promise<ClaudeNetError> {
  return sending.then(
    () => Promise.reject(new Error('It was not refused.')),
    (error: ClaudeNetError) => error,
  )
}

/** Makes two members write to each other in turn. */
async function chat(one: TestMember, other: TestMember, messages: number): Promise<void> {
  for (let n = 0; n < messages; n++) await (n % 2 === 0 ? send(one, other.name) : send(other, one.name))
}

const admin = (hub: TestHub) => hub.client(hub.adminToken)

test('two machines that answer each other without end are braked in both directions after the 31st message in 5 minutes', async () => {
  const hub = await startBraked()
  const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
  await chat(chas, sean, 31)
  for (const [from, to] of [
    [sean, 'chas'],
    [chas, 'sean'],
  ] as const) {
    const error = await refusal(send(from, to))
    expect(error).toMatchObject({ code: 'rate_limited', settled: true })
    expect(error.message).toMatch(
      new RegExp(
        `^Messages between you and ${to} are stopped until 20\\S+Z: 31 messages within 5 min looked like a loop\\.$`,
      ),
    )
    expect(error.hint).toMatch(/a person should look/)
    expect(error.retryAfterMs).toBeGreaterThan(500_000)
    expect(error.retryAfterMs).toBeLessThanOrEqual(600_000)
  }
  expect((await sean.client.call(api.readInbox)).messages.filter(({ from }) => from === 'chas')).toHaveLength(16)
})

test('the same text five times running is a loop too; another text in between, or from the other side, is not', async () => {
  const hub = await startBraked()
  const [chas, sean, jaz] = [await hub.join('chas'), await hub.join('sean'), await hub.join('jaz')]
  for (let n = 0; n < 4; n++) await send(chas, 'sean', 'Are you there?')
  await send(chas, 'sean', 'Hello?')
  for (let n = 0; n < 4; n++) {
    await send(chas, 'sean', 'Are you there?')
    await send(sean, 'chas', 'Are you there?')
    await send(chas, 'jaz', 'Are you there?')
  }
  await send(chas, 'sean', 'Are you there?')
  expect((await refusal(send(chas, 'sean', 'Something else'))).message).toMatch(/the same text 5 times running/)
  await send(jaz, 'chas', 'I am.')
})

test('others still receive from both: a broadcast is refused only for the braked recipient', async () => {
  const hub = await fourBraked()
  const [chas, sean, jaz] = [await hub.join('chas'), await hub.join('sean'), await hub.join('jaz')]
  await chat(chas, sean, 5)
  for (const to of ['all', ['jaz', 'sean']]) {
    const { recipients, id } = await send(chas, to)
    expect(recipients.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toMatchObject([
      { name: 'jaz', status: 'stored' },
      { name: 'sean', status: 'refused', reason: expect.stringMatching(/stopped until .* looked like a loop/) },
    ])
    const { receipts } = await chas.client.call(api.getMessage, { params: { id } })
    expect(receipts.map(({ status }) => status).sort()).toEqual(['refused', 'stored'])
  }
  expect((await jaz.client.call(api.readInbox)).unread).toBe(2)
  await send(sean, 'sean', 'A note to myself.')
})

test('a broadcast counts for each pair that it reaches', async () => {
  const hub = await fourBraked()
  const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
  for (let n = 0; n < 5; n++) await (n % 2 === 0 ? send(chas, 'all') : send(sean, 'chas'))
  expect(await refusal(send(sean, 'chas'))).toMatchObject({ code: 'rate_limited' })
})

test('a repeated send of a stored message gets the first response, brake or not, and does not count', async () => {
  const hub = await fourBraked()
  const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
  const id = newMessageId()
  const first = await send(chas, 'sean', 'once', id)
  for (let n = 0; n < 10; n++) expect(await send(chas, 'sean', 'once', id)).toMatchObject({ id, seq: first.seq })
  await chat(sean, chas, 4)
  await refusal(send(chas, 'sean', 'new'))
  expect(await send(chas, 'sean', 'once', id)).toMatchObject({ id, seq: first.seq, recipients: [{ status: 'stored' }] })
})

test('a refused id is free: after the pause the same send is stored, and the count begins again', async () => {
  const hub = await startBraked({ messages: 4, pauseS: 3 })
  const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
  await chat(chas, sean, 5)
  const id = newMessageId()
  await refusal(send(chas, 'sean', 'later', id))
  await until('the pause is over', () =>
    send(chas, 'sean', 'later', id).then(
      () => true,
      () => false,
    ),
  )
  await chat(sean, chas, 3)
  expect(await admin(hub).call(api.listMembers)).toMatchObject({ brakes: [] })
})

test('a brake survives a kill of the hub', async () => {
  const hub = await fourBraked()
  const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
  await chat(chas, sean, 5)
  const before = await refusal(send(chas, 'sean'))
  await hub.crashAndRestart()
  expect((await refusal(send(sean, 'chas'))).message).toBe(before.message.replace('sean', 'chas'))
})

test('humans are not braked, and a disabled brake stops no one', async () => {
  const hub = await startBraked({ messages: 4, repeats: 2 })
  const [chas, sean] = [await hub.join('chas'), await hub.join('sean', 'human')]
  for (let n = 0; n < 8; n++) {
    await send(chas, 'sean', 'ping')
    await send(sean, 'chas', 'pong')
  }
  const free = await startHub()
  const [one, two] = [await free.join('one'), await free.join('two')]
  for (let n = 0; n < 40; n++) await send(one, 'two', 'the same')
  expect((await two.client.call(api.readInbox)).unread).toBe(40)
})

test('the recipient finds one notice of the hub in its inbox, with an event that does not wake', async () => {
  const hub = await fourBraked()
  const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
  const listener = await new Listener(sean.client).opened()
  await chat(chas, sean, 5)
  for (let n = 0; n < 5; n++) await refusal(send(chas, 'sean'))
  const { messages, unread } = await sean.client.call(api.readInbox)
  expect(unread).toBe(4)
  expect(messages.at(-1)).toMatchObject({ from: 'hub', fromKind: 'hub', to: ['sean'], intent: 'inform' })
  expect(messages.at(-1)!.body).toMatch(/^Messages between chas and you are stopped until .*: 5 messages within 5 min/)
  expect((await chas.client.call(api.readInbox)).messages.map(({ from }) => from)).toEqual(['sean', 'sean'])
  await send(await hub.join('jaz'), 'sean', 'after the notice')
  const told = (await listener.first(5)).slice(-2)
  expect(told.map(({ data }) => data)).toMatchObject([{ from: 'hub', intent: 'inform' }, { from: 'jaz' }])
})

test('a notice is acked like mail, stands in the history, and is told to whoever answers it that nobody reads there', async () => {
  const hub = await fourBraked()
  const chas = await hub.join('chas')
  const machine = await startMachine(hub, 'seanclaude')
  for (let n = 0; n < 5; n++) await send(chas, 'seanclaude', 'Are you there?')
  const session = await machine.mcp()
  const { text } = await session.call('inbox')
  expect(text).toMatch(/from hub \(hub\) · just now · inform\n> Messages between chas and you are stopped until /)
  const { id } = JSON.parse((await machine.run(['inbox', '--json'])).stdout).messages.at(-1)
  expect(await session.call('send', { to: 'hub', message: 'Why?', reply_to: id })).toMatchObject({
    isError: true,
    text: expect.stringMatching(/'hub' is the hub itself: .* Nothing was sent\.\n.*needs no answer/),
  })
  expect((await machine.run(['send', '@Hub', 'hello'])).stderr).toMatch(/the hub itself/)
  expect((await machine.run(['inbox'])).stdout).toMatch(/hub · just now · inform\n> Messages between/)
  expect((await machine.run(['history', '--with', 'hub'])).stdout).toMatch(
    /^hub → seanclaude · just now · inform\n> Messages/,
  )
  expect((await session.call('inbox', { ack: [id] })).text).toMatch(/^Acked 1 message; 5 unread/)
})

test('no member can take the name of the hub, point an alias or group at it, or find it among the members', async () => {
  const hub = await startBraked()
  const [client, chas] = [admin(hub), await hub.join('chas')]
  for (const asked of [
    () => client.call(api.putAlias, { params: { name: 'centre' }, body: { member: 'hub' } }),
    () => client.call(api.putGroup, { params: { name: 'centre' }, body: { members: ['hub'] } }),
    () => client.call(api.putMember, { params: { name: 'hub' }, body: {} }),
    () => client.call(api.deleteMember, { params: { name: 'hub' } }),
  ])
    expect((await refusal(asked())).code).toMatch(/^(not_found|invalid)$/)
  expect((await chas.client.call(api.listMachines)).members.map(({ name }) => name)).toEqual(['chas'])
})

test('a brake is counted, audited, and shown to both machines and the admin', async () => {
  const hub = await startBraked({ messages: 4 })
  const [chas, jaz] = [await hub.join('chas'), await hub.join('jaz')]
  const sean = await startMachine(hub, 'sean')
  for (let n = 0; n < 5; n++) await send(chas, 'sean', 'Are you there?')
  await refusal(send(chas, 'sean'))
  expect((await raw(hub, { path: '/metrics' })).text).toMatch(/^claude_net_loop_brakes_total 1$/m)
  const { lines } = await admin(hub).call(api.listAudit, { query: { action: 'loopBrake' } })
  expect(lines).toMatchObject([
    { actor: 'chas', target: 'sean', result: 'rate_limited', detail: 'the same text 5 times running' },
  ])
  const shown =
    /messages between chas and sean are stopped until \S+Z: the same text 5 times running looked like a loop/
  expect((await sean.run(['machines'])).stdout).toMatch(shown)
  expect((await sean.run(['doctor'])).stdout).toMatch(shown)
  expect((await (await sean.mcp()).call('machines')).text).toMatch(shown)
  expect((await run(['members', '--data', hub.dataDir])).stdout).toMatch(shown)
  expect((await jaz.client.call(api.listMachines)).brakes).toEqual([])
})

test('a message in an outbox for a braked pair waits until the brake ends, is reported so, and does not block others', async () => {
  const hub = await fourBraked()
  const [chas, jaz] = [await startMachine(hub, 'chas'), await hub.join('jaz')]
  const sean = await hub.join('sean')
  for (let n = 0; n < 5; n++) await send(sean, 'chas', 'Are you there?')
  await hub.stop()
  for (const to of ['sean', 'jaz']) expect(await chas.run(['send', to, 'kept'])).toMatchObject({ code: 75 })
  await hub.start()
  await chas.run(['inbox'])
  expect((await jaz.client.call(api.readInbox)).messages).toMatchObject([{ body: 'kept' }])
  const { stdout } = await chas.run(['doctor'])
  expect(stdout).toMatch(/outbox +1 message waiting: Messages between you and sean are stopped/)
  expect(stdout).not.toContain('was refused')
})

test('one-sided messages are stored in any number; an exchange is braked soon after the limit', async () => {
  const hub = await startBraked({ messages: 30 })
  const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
  const volley = async (from: TestMember, to: string) => {
    const answers = []
    for (let n = 0; n < 25; n++) {
      answers.push(await raw(hub, { path: '/v1/messages', token: from.token, body: { to, body: `${texts++}` } }))
    }
    return answers
  }
  const oneWay = (await Promise.all([volley(chas, 'sean'), volley(chas, 'sean')])).flat()
  expect(new Set(oneWay.map(({ status }) => status))).toEqual(new Set([201]))
  const bothWays = [volley(chas, 'sean'), volley(sean, 'chas'), volley(chas, 'sean'), volley(sean, 'chas')]
  const refused = (await Promise.all(bothWays)).flat().filter(({ status }) => status !== 201)
  expect(refused.length).toBeGreaterThanOrEqual(100 - 31 - 4)
  for (const answer of refused) expect(errorOf(answer).code).toBe('rate_limited')
})

test('messages that two machines wrote to each other while the hub was down all arrive', async () => {
  const hub = await fourBraked()
  const [chas, sean] = [await startMachine(hub, 'chas'), await startMachine(hub, 'sean')]
  const pairs = [
    [chas, 'sean'],
    [sean, 'chas'],
  ] as const
  await hub.stop()
  for (const text of ['1', '2', '3']) {
    for (const [machine, to] of pairs) expect(await machine.run(['send', to, text])).toMatchObject({ code: 75 })
  }
  await hub.start()
  for (const [machine] of pairs) await machine.run(['inbox'])
  for (const [machine] of pairs) {
    const { messages } = JSON.parse((await machine.run(['inbox', '--json'])).stdout)
    expect(messages.map(({ body }: { body: string }) => body)).toEqual(['1', '2', '3'])
  }
})

test('an admin lifts a brake: messages are allowed again, the count is reset, and the audit records it', async () => {
  const hub = await fourBraked()
  const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
  await chat(chas, sean, 5)
  await refusal(send(chas, 'sean'))
  const brake = (...args: string[]) => run(['brake', ...args, '--data', hub.dataDir])
  expect((await brake()).stdout).toMatch(
    /messages between chas and sean are stopped until .* claude-net brake --lift chas sean/,
  )
  expect(await brake('--lift', 'sean', 'chas')).toMatchObject({
    code: 0,
    stdout: 'Messages between sean and chas are allowed again.\n',
  })
  await chat(chas, sean, 4)
  expect((await brake('--lift', 'chas', 'sean')).stdout).toBe('Messages between chas and sean were not stopped.\n')
  expect(await brake('--lift', 'chas')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('name both machines'),
  })
  expect(await brake('--lift', 'chas', 'sena')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/'sena'.*\n.*sean/),
  })
  expect(await brake()).toMatchObject({ code: 0, stdout: 'No messages are stopped.\n' })
  const { lines } = await admin(hub).call(api.listAudit, { query: { action: 'liftBrake' } })
  expect(lines.map(({ target, detail, result }) => [target, detail, result])).toContainEqual([
    'sean',
    'member=chas',
    'ok',
  ])
})

test('a scheduled message counts when it is delivered, and not before', async () => {
  const hub = await startBraked()
  const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
  const at = new Date(Date.now() + 1000).toISOString()
  for (let n = 0; n < 5; n++) await chas.client.call(api.sendMessage, { body: { to: 'sean', body: 'Again?', at } })
  await send(chas, 'sean', 'Again?')
  await send(chas, 'sean', 'Something else')
  await until('all messages', async () => (await sean.client.call(api.readInbox)).messages.length >= 7)
  expect((await refusal(send(chas, 'sean'))).message).toMatch(/the same text 5 times running/)
})
