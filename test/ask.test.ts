import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { mintToken } from '../src/protocol/token.ts'
import { startClaude } from './support/claude-session.ts'
import type { TestMember } from './support/hub.ts'
import { startMachine, TestMachine } from './support/machine.ts'
import { cleanEnv, machineNode, program, ranOf } from './support/program.ts'
import { sharedHub } from './support/shared-hub.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

const hub = sharedHub()
let round = 0

/** Creates a machine, and two online members to whom it sends questions. */
async function asker() {
  const n = ++round
  const sean = await startMachine(hub, `sean${n}claude`)
  const [ben, cat] = [await hub.join(`ben${n}`), await hub.join(`cat${n}`)]
  for (const { client } of [ben, cat]) await client.call(api.heartbeat, { body: { session: 's1', client: 'test/1' } })
  return { sean, ben, cat }
}

/** Starts `claude-net ask`. Returns its process, its output so far and its result. */
function startAsk(sean: TestMachine, args: string[]) {
  const child = spawn(machineNode, [program, 'ask', ...args], { env: cleanEnv(sean.env) })
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', text => (shown += text))
  return { child, ran: ranOf(child), shown: () => shown }
}

/** Waits for the question, and answers it. */
async function answer({ client }: TestMember, body: string): Promise<string> {
  const question = await until('the question', async () => (await client.call(api.readInbox)).messages.at(-1))
  const sent = { to: question.from, body, replyTo: question.id, intent: 'inform' as const }
  return (await client.call(api.sendMessage, { body: sent })).id
}

test('ask prints each answer as it arrives, and exits with 0 when all have answered; the answers stay unread', async () => {
  const { sean, ben, cat } = await asker()
  const { ran, shown } = startAsk(sean, [`${ben.name},${cat.name}`, 'Who', 'can', 'review?'])
  const first = await answer(ben, 'I can.')
  await until('the first answer', () => shown().includes(`> I can.\n${first}`))
  await answer(cat, 'Not today.')
  const { code, stdout, stderr } = await ran
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^Stored for 2 recipients\. Message \S+\.\n/)
  expect(stdout).toMatch(
    new RegExp(
      `\\n\\n${cat.name} · just now · inform.*\\n> Not today\\.\\n\\S+\\n\\n2 of 2 answered: ${ben.name}, ${cat.name}\\.\\n\\n$`,
    ),
  )
  expect(await sean.run(['inbox'])).toMatchObject({
    stdout: expect.stringMatching(/^2 unread messages\.[\s\S]*I can\.[\s\S]*Not today\./),
  })
})

test('ask exits with 3 when its time is over, or no further answer is possible; --json prints a line for each step', async () => {
  const { sean, ben, cat } = await asker()
  const { ran } = startAsk(sean, ['--json', '--within', '2s', '--ack', `${ben.name},${cat.name}`, 'Who can review?'])
  await answer(ben, 'I can.')
  const { code, stdout } = await ran
  const lines = stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { event: string })
  expect(code).toBe(3)
  expect(lines).toMatchObject([
    { event: 'asked', answer: { recipients: [{ name: ben.name }, { name: cat.name }] } },
    { event: 'answer', message: { from: ben.name, body: 'I can.' } },
    { event: 'done', all: false, receipts: [{ status: 'acked' }, { status: 'stored' }] },
  ])
  expect((await sean.run(['inbox'])).stdout).toBe('No unread messages.\n')

  await cat.client.call(api.putPolicy, { body: { inbound: 'refuse' } })
  const second = startAsk(sean, [`${ben.name},${cat.name}`, 'And tomorrow?'])
  await answer(ben, 'Yes.')
  const refused = await second.ran
  expect([refused.code, refused.stdout]).toEqual([
    3,
    expect.stringContaining(`1 of 2 answered: ${ben.name}; refused by 1: ${cat.name}.`),
  ])
})

test('ask with one recipient waits too; Ctrl-C ends only the waiting, and --id resumes it', async () => {
  const { sean, ben } = await asker()
  const id = newMessageId()
  const { child, ran, shown } = startAsk(sean, ['--id', id, ben.name, 'Ready?'])
  await until('the question', async () => (await ben.client.call(api.readInbox)).unread === 1)
  await until('the answer of the hub', () => shown().includes(id))
  child.kill('SIGINT')
  const { code, stderr } = await ran
  expect([code, stderr]).toEqual([130, expect.stringContaining(`claude-net history ${id}`)])
  await answer(ben, 'Ready.')
  expect((await sean.run(['inbox'])).stdout).toContain('> Ready.')
  const again = await startAsk(sean, ['--id', id, ben.name, 'Ready?']).ran
  expect([again.code, again.stdout]).toEqual([0, expect.stringMatching(/> Ready\.[\s\S]*1 of 1 answered/)])
})

test.each([
  [['--within', '5', 'ben', 'Who?'], /that is not a duration/],
  [['--within', '8d', 'ben', 'Who?'], /7 days are the most/],
  [['--intent', 'inform', 'ben', 'Who?'], /Allowed choices are request, urgent/],
  [['ben', ' '], /The text is blank/],
])('ask %j is refused as invalid usage', async (args, why) => {
  const { sean } = await asker()
  expect(await sean.run(['ask', ...args])).toMatchObject({ code: 2, stderr: expect.stringMatching(why) })
})

test('a receipt shows that a message was announced, how and to which session, and that it is held; a mute is not shown', async () => {
  const { sean, ben, cat } = await asker()
  const machine = await startMachine(hub, `mel${round}`)
  const { client } = ben
  const send = async (more: object = {}) =>
    (await client.call(api.sendMessage, { body: { to: machine.name, body: 'Is it red?', intent: 'inform', ...more } }))
      .id
  const receipt = async (id: string) => (await client.call(api.getMessage, { params: { id } })).receipts[0]!
  const untold = await send()
  expect(await receipt(untold)).toEqual({
    name: machine.name,
    kind: 'machine',
    status: 'stored',
    online: false,
    lastSeenAt: null,
  })

  const claude = await startClaude(machine)
  await claude.hook('UserPromptSubmit')
  const mcp = await claude.mcp()
  await claude.untilAnnounced('PostToolUse')
  await until('the report', async () => (await receipt(untold)).toldAt)
  expect(await receipt(untold)).toMatchObject({ status: 'stored', toldHow: 'hook' })
  await claude.hook('Stop')
  const request = await send({ intent: 'request' })
  await until('the report of the wake', async () => (await receipt(request)).toldHow === 'wake')
  await mcp.call('inbox', { ack: true })
  await until('the report that it was shown', async () => (await receipt(request)).shownTo)
  expect((await receipt(request)).shownTo).toEqual({ session: (await receipt(request)).fetchedBySession })
  const reported = await receipt(untold)
  const again = { ids: [untold], session: 's2', how: 'hook' as const }
  const machineClient = hub.client((await import('node:fs')).readFileSync(`${machine.home}/token`, 'utf8').trim())
  expect(await machineClient.call(api.markTold, { body: again })).toEqual({ told: 0 })
  expect((await receipt(untold)).toldAt).toBe(reported.toldAt)

  await machine.run(['policy', '--inbound', 'hold'])
  const held = await send()
  await machine.run(['policy', '--inbound', 'accept', '--mute', ben.name])
  const muted = await send()
  expect(await receipt(held)).toMatchObject({ status: 'stored', heldSince: expect.any(String) })
  // A report from a member that is not a recipient changes nothing.
  expect(await machineClient.call(api.markTold, { body: { ids: [muted], session: 's2', how: 'wake' } })).toEqual({
    told: 0,
  })
  const { name, kind, status, online, lastSeenAt } = await receipt(muted)
  expect(await receipt(muted)).toEqual({ name, kind, status, online, lastSeenAt })
  // Sends the question from a machine, whose history describes the receipts in sentences.
  const question = await sean.run(['send', `${machine.name},${cat.name}`, 'Who?'])
  const id = /Message (\S+)\./.exec(question.stdout)![1]!
  await until('the wake', async () => (await sean.run(['history', id])).stdout.includes('woken for it at'))
  await mcp.call('send', { to: sean.name, message: 'I.', reply_to: id })
  const { stdout } = await sean.run(['history', id])
  const stamp = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`
  expect(stdout).toMatch(
    new RegExp(
      `^${sean.name} → ${machine.name}, ${cat.name} · just now · request\n> Who\\?\n  ${stamp}  sent by ${sean.name}\n`,
    ),
  )
  for (const step of [
    'stored',
    'a session was woken for it, reported by the client',
    'acked',
    String.raw`answered with message \S+`,
  ])
    expect(stdout).toMatch(new RegExp(`^  ${stamp}  ${machine.name}: ${step}$`, 'm'))
  expect(stdout).toMatch(
    new RegExp(
      `\nNow:\n  ${machine.name}: acked just now, answered just now\n  ${cat.name}: stored, not notified yet; online\n  1 of 2 answered: ${machine.name}; unread at 1: ${cat.name}; answers are gathered for \\d+ \\w+ more\n$`,
    ),
  )
  expect((await sean.run(['history', newMessageId()])).stdout).toBe('Nothing found.\n')
})

test('a question to a hub that does not know a time for answers is sent without one', async () => {
  const sent: object[] = []
  const sentAt = new Date().toISOString()
  const reach = { name: 'ben', kind: 'machine', online: true, lastSeenAt: sentAt }
  const id = newMessageId()
  const message = {
    id,
    seq: 1,
    from: 'sean',
    fromKind: 'machine',
    to: ['ben'],
    sentAt,
    intent: 'request',
    body: 'Who?',
  }
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (request.method === 'GET' && request.url!.startsWith('/v1/messages/'))
      return answer(200, { message, receipts: [{ ...reach, status: 'acked', answeredAt: sentAt }] })
    if (request.method !== 'POST') return answer(404, { error: { code: 'not_found', message: 'No.', hint: '' } })
    const body = JSON.parse(text) as { withinS?: number }
    if (body.withinS !== undefined)
      return answer(400, { error: { code: 'invalid', message: 'body: Unrecognized key: "withinS"', hint: '' } })
    sent.push(body)
    return answer(201, { id, seq: 1, sentAt, recipients: [{ ...reach, status: 'stored' }] })
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const sean = new TestMachine('sean', tempDir('sean'))
  mkdirSync(sean.home)
  const hubUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  writeFileSync(join(sean.home, 'config.json'), JSON.stringify({ machine: 'sean', sshHost: 'local', hub: hubUrl }))
  writeFileSync(join(sean.home, 'token'), mintToken('machine'), { mode: 0o600 })
  const { code, stdout } = await sean.run(['ask', 'ben', 'Who?'])
  expect([code, stdout]).toEqual([0, expect.stringContaining('1 of 1 answered: ben.')])
  expect(sent).toEqual([expect.objectContaining({ to: 'ben', body: 'Who?', intent: 'request' })])
})
