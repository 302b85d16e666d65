import { existsSync, readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { sessionDirs } from '../src/notice/session-dir.ts'
import { api } from '../src/protocol/api.ts'
import type { SendRequest } from '../src/protocol/messages.ts'
import { type ClaudeSession, startClaude } from './support/claude-session.ts'
import { startHub, type TestHub, type TestMember } from './support/hub.ts'
import { startMachine } from './support/machine.ts'
import { sharedHub } from './support/shared-hub.ts'
import { until } from './support/until.ts'

const hub = sharedHub()
let round = 0

/** Creates a machine with one idle session, and two online members to whom it sends questions. */
async function asker(on: TestHub = hub) {
  const n = ++round
  const sean = await startMachine(on, `sean${n}claude`)
  const [ben, cat] = [await on.join(`ben${n}`), await on.join(`cat${n}`)]
  for (const member of [ben, cat]) await comes(member)
  const claude = await startClaude(sean)
  await claude.hook('UserPromptSubmit')
  const mcp = await claude.mcp()
  /** Asks as the model does, and ends the turn. */
  const ask = async (args: Record<string, unknown> = {}) => {
    const { text } = await mcp.call('send', { to: `${ben.name}, ${cat.name}`, message: 'Who can review?', ...args })
    await claude.hook('Stop')
    return /Message (\S+)\./.exec(text)![1]!
  }
  const answer = async (member: TestMember, replyTo: string, body: string, more: Partial<SendRequest> = {}) => {
    const sent = { to: sean.name, body, replyTo, intent: 'inform' as const, ...more }
    return (await member.client.call(api.sendMessage, { body: sent })).id
  }
  return { sean, ben, cat, claude, mcp, ask, answer }
}

const comes = ({ client }: TestMember) => client.call(api.heartbeat, { body: { session: 's1', client: 'test/1' } })

/** Returns the texts in a notice or a wake; `summaryIn` returns the state of the question. */
const textsIn = (text: string) => [...text.matchAll(/^- \S+ \(.*: > (.*)$/gm)].map(match => match[1])
const summaryIn = (text: string) => /^- your question \S+ \(&?.*?\): (.*)$/m.exec(text)?.[1]

function newsOf(claude: ClaudeSession): string[] {
  const dir = sessionDirs(claude.machine.home).find(({ key }) => claude.socket.endsWith(`${key}.sock`))
  if (!dir || !existsSync(dir.file('news'))) return []
  // A file that is being written has another ending.
  return readdirSync(dir.file('news')).filter(name => name.endsWith('.json'))
}

/** Waits for longer than messages are gathered before a wake. */
const waitForBatch = () => delay(1500)

test('several answers to one question cause one wake, once all have answered; the inbox shows them together', async () => {
  const { ben, cat, claude, mcp, ask, answer } = await asker()
  const id = await ask()
  await answer(ben, id, 'I can.')
  await until('the pointer to the message', () => newsOf(claude).length === 1)
  await waitForBatch()
  expect(claude.wakes).toEqual([])
  // The inbox already shows the answer.
  expect((await claude.machine.run(['inbox'])).stdout).toContain('> I can.')
  await answer(cat, id, 'Not today.')
  await until('the wake', () => claude.wakes.length > 0)
  expect(textsIn(claude.wakes[0]!)).toEqual(['I can.', 'Not today.'])
  expect(summaryIn(claude.wakes[0]!)).toBe(`2 of 2 answered: ${ben.name}, ${cat.name}`)
  const { text } = await mcp.call('inbox', { ack: true })
  expect(text).toContain(
    `\n\nYour question ${id}, just now (> Who can review?): 2 of 2 answered: ${ben.name}, ${cat.name}.\n\nMessage `,
  )
  expect(text).toMatch(/just now · inform.*\n> I can\.\n\nMessage \S+\n.* · inform\n> Not today\./)
  expect(text).not.toContain('answers')
  await claude.hook('Stop')

  // Each later answer causes a wake of its own.
  await answer(ben, id, 'And I have a question.')
  await until('the second wake', () => claude.wakes.length > 1)
  expect(textsIn(claude.wakes[1]!)).toEqual(['And I have a question.'])
  expect(summaryIn(claude.wakes[1]!)).toBe(undefined)
})

test('an urgent answer wakes at once with the answers so far, and ends the question; one that is a request wakes by itself', async () => {
  const { ben, cat, claude, mcp, ask, answer } = await asker()
  const id = await ask()
  await answer(ben, id, 'I can.')
  await until('the pointer to the message', () => newsOf(claude).length === 1)
  await answer(cat, id, 'Stop: it is down.', { intent: 'urgent' })
  await until('the wake', () => claude.wakes.length > 0)
  expect(textsIn(claude.wakes[0]!)).toEqual(['I can.', 'Stop: it is down.'])
  await mcp.call('inbox', { ack: true })
  await claude.hook('Stop')

  const second = await ask()
  await answer(ben, second, 'Which one?', { intent: 'request' })
  await until('the wake for the question', () => claude.wakes.length > 1)
  expect([textsIn(claude.wakes[1]!), summaryIn(claude.wakes[1]!)]).toEqual([['Which one?'], undefined])
})

test('when its time is over the asker is woken, with answers or without, and learns who has not answered', async () => {
  const { cat, ben, claude, ask, answer } = await asker()
  await ask({ within: '1s' })
  await until('the wake', () => claude.wakes.length > 0)
  expect(claude.wakes[0]).toMatch(/^1 question of yours to several has no answers to wait for\.\n/)
  expect(summaryIn(claude.wakes[0]!)).toBe(`0 of 2 answered; unread at 2: ${ben.name}, ${cat.name}`)
  await claude.hook('UserPromptSubmit')
  await claude.hook('Stop')
  const id = await ask({ within: '3 s' })
  await answer(ben, id, 'I can.')
  await until('the second wake', () => claude.wakes.length > 1)
  expect(textsIn(claude.wakes[1]!)).toEqual(['I can.'])
  expect(summaryIn(claude.wakes[1]!)).toBe(`1 of 2 answered: ${ben.name}; unread at 1: ${cat.name}`)
  // The end of the question expires no message.
  expect(await cat.client.call(api.readInbox)).toMatchObject({ unread: 2 })
})

test('members that are offline are not waited for', async () => {
  const { ben, cat, claude, ask, answer } = await asker()
  const id = await ask()
  await answer(ben, id, 'I can.')
  await until('the pointer to the message', () => newsOf(claude).length === 1)
  await cat.client.call(api.endSession, { query: { session: 's1' } })
  await until('the wake', () => claude.wakes.length > 0)
  expect(textsIn(claude.wakes[0]!)).toEqual(['I can.'])
  expect(summaryIn(claude.wakes[0]!)).toMatch(
    new RegExp(`^1 of 2 answered: ${ben.name}; offline since \\d\\d:\\d\\d: ${cat.name}$`),
  )
})

test('a busy session is notified of each answer at its next step, and its turn continues for the last one', async () => {
  const { ben, cat, claude, ask, answer } = await asker()
  const id = await ask()
  await claude.hook('UserPromptSubmit')
  claude.writeRecord({ status: 'busy', statusUpdatedAt: Date.now() + 600_000 })
  await answer(ben, id, 'I can.')
  await until('the pointer to the message', () => newsOf(claude).length === 1)
  expect(await claude.hook('Stop')).toBe('')
  expect(textsIn(await claude.untilAnnounced('PostToolUse'))).toEqual(['I can.'])
  await answer(cat, id, 'Not today.')
  await until('both', () => newsOf(claude).length === 2)
  const told = await claude.hook('Stop')
  expect([textsIn(told), summaryIn(told)]).toEqual([['Not today.'], `2 of 2 answered: ${ben.name}, ${cat.name}`])
  expect(claude.wakes).toEqual([])
})

test('restarts of hub and MCP server in between lose nothing, and make no member appear offline', async () => {
  const own = await startHub()
  const { ben, cat, claude, mcp, ask, answer } = await asker(own)
  const id = await ask()
  await answer(ben, id, 'I can.')
  await until('the pointer to the message', () => newsOf(claude).length === 1)
  await own.crashAndRestart()
  process.kill(mcp.pid, 'SIGKILL')
  await claude.mcp()
  await until('the pointer to the message again', () => newsOf(claude).length === 1)
  await waitForBatch()
  expect(claude.wakes).toEqual([])
  await answer(cat, id, 'Not today.')
  await until('the wake', () => claude.wakes.length > 0)
  expect(textsIn(claude.wakes[0]!)).toEqual(['I can.', 'Not today.'])
})

test('after the session that asked has ended, another of the machine is notified, and sees the answers under the question', async () => {
  const { sean, ben, cat, mcp, ask, answer } = await asker()
  const id = await ask()
  await answer(ben, id, 'I can.')
  await mcp.close()
  const other = await startClaude(sean)
  await other.hook('UserPromptSubmit')
  const otherMcp = await other.mcp()
  await answer(cat, id, 'Not today.')
  await until('the pointer to the message', () => newsOf(other).length === 2)
  expect(textsIn(await other.untilAnnounced('PostToolUse'))).toEqual(['I can.', 'Not today.'])
  expect((await otherMcp.call('inbox')).text).toContain(
    `Your question ${id}, just now (> Who can review?): 2 of 2 answered`,
  )
})

test('a question to one recipient, or to all, gathers no answers; within makes a message a question', async () => {
  const { sean, ben, claude, mcp, ask, answer } = await asker()
  const id = await ask({ to: ben.name })
  await answer(ben, id, 'Yes.')
  await until('the wake', () => claude.wakes.length > 0)
  expect(textsIn(claude.wakes[0]!)).toEqual(['Yes.'])
  expect((await mcp.call('inbox', { ack: true })).text).toContain(`answers ${id}`)
  const told = await mcp.call('send', { to: 'all', message: 'For your information' })
  const idOf = (text: string) => /Message (\S+)\./.exec(text)![1]!
  const gather = async (id: string) => {
    const { stdout } = await sean.run(['history', '--json', '--limit', '5'])
    const { messages } = JSON.parse(stdout) as {
      messages: { message: { id: string; intent: string }; gather?: object }[]
    }
    return messages.find(({ message }) => message.id === id)!
  }
  expect(await gather(idOf(told.text))).toMatchObject({ message: { intent: 'inform' } })
  expect((await gather(idOf(told.text))).gather).toBe(undefined)
  const asked = await mcp.call('send', { to: 'all', message: 'Who can review?', within: '2h' })
  expect(await gather(idOf(asked.text))).toMatchObject({ message: { intent: 'request' }, gather: { open: true } })
  for (const [args, why] of [
    [{ within: '2h', intent: 'inform' }, /An inform wants no answer/],
    [{ within: '10' }, /within: wanted: a span of time such as "30m"/],
    [{ within: '8d' }, /7 days are the most/],
  ] as const) {
    const refused = await mcp.call('send', { to: 'all', message: 'Who?', ...args })
    expect([refused.isError, refused.text]).toEqual([true, expect.stringMatching(why)])
  }
})
