import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import type { SendRequest } from '../src/protocol/messages.ts'
import { version } from '../src/protocol/version.ts'
import { type ClaudeSession, startClaude } from './support/claude-session.ts'
import { hiddenIn, hostileBodies } from './support/hostile-text.ts'
import { startHub, type TestMember } from './support/hub.ts'
import { startMachine } from './support/machine.ts'
import { cleanEnv, machineNode, program, ranOf } from './support/program.ts'
import { sharedHub } from './support/shared-hub.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

const hub = sharedHub()
let chas: TestMember
let machines = 0

beforeAll(async () => {
  chas = await hub.join('chasclaude')
})

/** Creates a machine for this test, and a function by which chasclaude writes to it. */
async function seansMachine() {
  const sean = await startMachine(hub, `sean${++machines}claude`)
  const send = async (body: string, more: Partial<SendRequest> = {}) =>
    (await chas.client.call(api.sendMessage, { body: { to: sean.name, body, ...more } })).id
  return { sean, send }
}

/** Creates a machine with one busy session: its user has just submitted a prompt. */
async function busySession() {
  const members = await seansMachine()
  const claude = await startClaude(members.sean)
  await claude.hook('UserPromptSubmit')
  return { ...members, claude, mcp: await claude.mcp() }
}

/** Creates a machine with one session that has ended its turn and waits for its user. */
async function idleSession() {
  const busy = await busySession()
  await busy.claude.hook('Stop')
  return busy
}

/** Returns the messages named in a notice or a wake, without the advice around them. */
const textsIn = (text: string) => [...text.matchAll(/^- .*: > (.*)$/gm)].map(match => match[1])

describe('a busy session', () => {
  test.for(['UserPromptSubmit', 'PostToolUse', 'Stop'])(
    'is notified of new messages at %s, once: number, senders and first words',
    async event => {
      const { send, claude } = await busySession()
      expect(await claude.hookProcess(event)).toBe('')
      await claude.hookProcess('UserPromptSubmit')
      await send('The build is red.\nSecond line.', { intent: 'urgent' })
      // A Stop before the message arrives would end the turn, and the session would be woken instead.
      await until('the pointer to the message', () => newsOf(claude).length > 0)
      expect(await claude.hookProcess(event)).toMatch(
        /^Claude Net: 1 unread message\.\n- chasclaude \(machine\), urgent, just now: > The build is red\.\n.*not from your user.*claude_net_inbox/,
      )
      for (const next of ['PostToolUse', 'UserPromptSubmit', 'Stop', 'PostToolUse'])
        expect(await claude.hook(next)).toBe('')

      await send('Another.', { intent: 'inform' })
      expect(textsIn(await claude.untilAnnounced('PostToolUse'))).toEqual(['Another.'])
    },
  )

  test('of several hooks that run at once, such as with a plugin beside the settings, one announces', async () => {
    const { send, claude } = await busySession()
    await send('hello')
    await until('the pointer to the message', () => newsOf(claude).length > 0)
    const told = await Promise.all(Array.from({ length: 6 }, () => claude.hookProcess('PostToolUse')))
    expect(told.filter(text => text !== '')).toHaveLength(1)
  })

  test('is notified again of all unread messages after clear, compact and resume, but not of acked ones', async () => {
    const { send, claude, mcp } = await busySession()
    await send('first')
    await claude.untilAnnounced('PostToolUse')
    await mcp.call('inbox', { ack: true })
    await mcp.call('machines')
    await send('second')
    await claude.untilAnnounced('PostToolUse')
    await send('third')
    await until('the pointer to the message', () => newsOf(claude).length > 0)
    for (const source of ['clear', 'compact', 'resume', 'fork'])
      expect(textsIn(await claude.hook('SessionStart', { source }))).toEqual(['second', 'third'])
    expect(await claude.hook('SessionStart', { source: 'startup' })).toBe('')
  })

  test('is not notified of messages that it has just read, nor of those given to another session', async () => {
    const { send, sean, claude, mcp } = await busySession()
    const other = await startClaude(sean)
    const otherMcp = await other.mcp()
    await send('hello')
    await until('the pointer to the message', () => newsOf(claude).length + newsOf(other).length > 0)
    await otherMcp.call('inbox')
    await until('the pointer to be deleted', () => newsOf(claude).length === 0)
    expect(await claude.hook('PostToolUse')).toBe('')
    expect(await other.hook('PostToolUse')).toBe('')
    await send('again')
    await until('the pointer to the message', () => newsOf(claude).length + newsOf(other).length > 0)
    expect((await mcp.call('inbox')).text).toMatch(/> hello[\s\S]*> again/)
    // The other session's inbox shows which session has the message, and since when.
    expect((await otherMcp.call('inbox')).text).toMatch(/· shown to session \S+ just now\n> hello/)
    await until('the pointer to be deleted', () => newsOf(other).length === 0)
    expect([await claude.hook('PostToolUse'), await other.hook('PostToolUse')]).toEqual(['', ''])
  })

  test('at Stop, an inform or a second round does not keep it from ending its turn', async () => {
    const { send, claude } = await busySession()
    // Otherwise it would be woken between two hooks, when it looks idle.
    claude.writeRecord({ status: 'busy', statusUpdatedAt: Date.now() + 600_000 })
    await send('for your information', { intent: 'inform' })
    await until('the pointer to the message', () => newsOf(claude).length > 0)
    expect(await claude.hook('Stop')).toBe('')
    await send('a question')
    await until('the pointer to the message', () => newsOf(claude).length > 1)
    expect(await claude.hook('Stop', { stop_hook_active: true })).toBe('')
    expect(textsIn(await claude.hook('Stop'))).toEqual(['a question'])
    expect(textsIn(await claude.hook('UserPromptSubmit'))).toEqual(['for your information'])
  })

  test('its prompts are recorded in the background; a late record does not overwrite a newer state', async () => {
    const { sean } = await seansMachine()
    const claude = await startClaude(sean)
    await claude.hook('SessionStart', { source: 'startup' })
    const note = () =>
      spawn(machineNode, [program, 'hook', '--note'], { env: cleanEnv({ ...sean.env, ...claude.env }) })
    const prompt = JSON.stringify({ hook_event_name: 'UserPromptSubmit', permission_mode: 'acceptEdits' })
    expect(await ranOf(note(), prompt)).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(fileText(claude, 'state.json')).toContain('"busy":true,"mode":"acceptEdits"')

    const late = note()
    await once(late, 'spawn')
    await claude.hookProcess('Stop')
    expect(await ranOf(late, prompt)).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(fileText(claude, 'state.json')).toContain('"busy":false,"mode":"default"')
  })

  test('a subagent is not notified: the session would not see it', async () => {
    const { send, claude } = await busySession()
    await send('hello')
    await until('the pointer to the message', () => newsOf(claude).length > 0)
    expect(await claude.hook('PostToolUse', { agent_id: 'a1' })).toBe('')
    expect(textsIn(await claude.hook('PostToolUse'))).toEqual(['hello'])
  })

  test('is not notified of messages held for its user, or from a muted sender', async () => {
    const { send, sean, claude } = await busySession()
    const loud = await hub.join('loud')
    await sean.run(['policy', '--mute', 'loud'])
    await loud.client.call(api.sendMessage, { body: { to: sean.name, body: 'noise' } })
    await send('hello')
    expect(textsIn(await claude.untilAnnounced('PostToolUse'))).toEqual(['hello'])
    await sean.run(['policy', '--inbound', 'hold'])
    await send('for the user alone')
    await sean.run(['policy', '--inbound', 'accept'])
    await send('for all')
    expect(textsIn(await claude.untilAnnounced('PostToolUse'))).toEqual(['for all'])
  })

  test('a hundred messages are ten lines and a count', async () => {
    const { send, claude } = await busySession()
    for (let n = 1; n <= 100; n++) await send(`message ${n} ${'x'.repeat(500)}`)
    await until('the pointer to the message', () => newsOf(claude).length === 100)
    const text = await claude.hook('PostToolUse')
    expect(textsIn(text)).toHaveLength(10)
    expect(text).toMatch(/^Claude Net: 100 unread messages\.\n[\s\S]*\nand 90 older\n/)
    expect(text.length).toBeLessThan(3000)
  })

  test('without a hub, without a server and with garbage on stdin a hook prints nothing and exits with 0', async () => {
    const own = await startHub()
    const sean = await startMachine(own, 'seanclaude')
    const claude = await startClaude(sean)
    await claude.mcp()
    await own.stop('SIGKILL')
    expect(await claude.hook('PostToolUse')).toBe('')
    const env = { ...sean.env, ...claude.env }
    for (const input of ['', 'garbage', '{}', 'null', '{"hook_event_name":"Stop"}', '{"hook_event_name":7}'])
      expect(await sean.run(['hook'], { env, input })).toEqual({ code: 0, stdout: '', stderr: '' })
    const elsewhere = await startClaude(sean, { CLAUDE_NET_HOME: '/nonexistent' })
    expect(await elsewhere.hook('PostToolUse')).toBe('')
  })
})

describe('an idle session', () => {
  test('wakes through its inbox socket, with the auth line first; a burst causes one wake', async () => {
    const { send, claude, mcp } = await idleSession()
    await Promise.all(['one', 'two', 'three'].map(body => send(body)))
    await until('the wake', () => claude.wakes.length > 0)
    expect(claude.lines[0]).toEqual({ type: 'auth', token: claude.env.CLAUDE_CODE_MESSAGING_TOKEN })
    expect(textsIn(claude.wakes[0]!).sort()).toEqual(['one', 'three', 'two'])
    expect(claude.wakes[0]).toMatch(/^3 unread messages from chasclaude\.\n- chasclaude \(machine\), request/)
    // A message announced by the wake is not announced again by a hook.
    expect(await claude.hook('UserPromptSubmit')).toBe('')
    await mcp.call('inbox', { ack: true })
    await claude.hook('Stop')

    await send('four')
    await until('the second wake', () => claude.wakes.length > 1)
    expect(textsIn(claude.wakes[1]!)).toEqual(['four'])
  })

  test('is not woken for an inform, which waits for the next prompt', async () => {
    const { send, claude } = await idleSession()
    await send('for your information', { intent: 'inform' })
    await chas.client.call(api.sendMessage, { body: { to: 'all', body: 'for all' } })
    await until('the pointer to the message', () => newsOf(claude).length === 2)
    await send('a question')
    await until('the wake', () => claude.wakes.length > 0)
    expect(claude.wakes.map(textsIn)).toEqual([['a question']])
    expect(textsIn(await claude.hook('UserPromptSubmit'))).toEqual(['for your information', 'for all'])
  })

  test('is not woken for messages that were read before the wake', async () => {
    const { send, sean, claude, mcp } = await idleSession()
    await send('read elsewhere')
    await until('the pointer to the message', () => newsOf(claude).length > 0)
    // The server is stopped while another program of this machine reads, within the second in which a burst is gathered.
    process.kill(mcp.pid, 'SIGSTOP')
    expect(await sean.run(['inbox', '--ack'])).toMatchObject({ code: 0 })
    process.kill(mcp.pid, 'SIGCONT')
    await until('the pointer to be deleted', () => newsOf(claude).length === 0)
    await send('unread')
    await until('the wake', () => claude.wakes.length > 0)
    expect(claude.wakes.map(textsIn)).toEqual([['unread']])
  })

  test('whose inbox socket refuses is notified at the next prompt, once', async () => {
    const { send, claude } = await idleSession()
    rmSync(claude.socket)
    await send('hello')
    await until('the wake', () => turnsOf(claude).some(({ until }) => until <= Date.now()))
    expect(textsIn(await claude.untilAnnounced('UserPromptSubmit'))).toEqual(['hello'])
    for (const event of ['PostToolUse', 'UserPromptSubmit', 'Stop']) expect(await claude.hook(event)).toBe('')
  })

  test('that bypasses permissions is woken by the waiting hook, since it would hold messages on its socket', async () => {
    const { send, claude } = await busySession()
    await claude.hook('Stop', { permission_mode: 'bypassPermissions' })
    const waiter = claude.waiter()
    await until('the waiter', () => existsSync(fileOf(claude, 'waiter.json')))
    await send('hello')
    const { code, stderr } = await waiter.ended
    expect([code, textsIn(stderr), claude.lines]).toEqual([2, ['hello'], []])
    expect(stderr).toMatch(/^Claude Net woke this session: 1 unread message from chasclaude\.\n/)
    expect(existsSync(fileOf(claude, 'waiter.json'))).toBe(false)
  })

  test('has one waiting hook, however often it stops; a killed one is replaced', async () => {
    const { claude } = await idleSession()
    const first = claude.waiter()
    await until('the waiter', () => existsSync(fileOf(claude, 'waiter.json')))
    for (const again of [claude.waiter(), claude.waiter()]) expect(await again.ended).toEqual({ code: 0, stderr: '' })
    expect(first.process.exitCode).toBe(null)
    first.process.kill('SIGKILL')
    await first.ended
    const next = claude.waiter()
    await until('the next waiter', () => fileText(claude, 'waiter.json').includes(String(next.process.pid)))
    next.process.kill('SIGTERM')
    expect(await next.ended).toEqual({ code: 0, stderr: '' })
  })

  test('of two sessions the most recently active is woken, and the other after that one has ended', async () => {
    const { send, sean, claude: first, mcp } = await idleSession()
    const second = await startClaude(sean)
    await second.hook('UserPromptSubmit')
    await second.hook('Stop')
    const secondMcp = await second.mcp()
    await until('both sessions', async () => /2 sessions/.test((await mcp.call('machines')).text))
    await send('for one of you')
    await until('the wake', () => second.wakes.length > 0)
    expect(first.wakes).toEqual([])
    // The session ends before it has read the message, so the other one is woken.
    await secondMcp.close()
    await until('the wake of the other', () => first.wakes.length > 0)
    expect([first.wakes.map(textsIn), second.wakes.length]).toEqual([[['for one of you']], 1])
  })
})

describe("Claude Code's own record of a session", () => {
  test('a spare worker and a parked session are not woken and do not count as sessions; the visible one does', async () => {
    const { send, sean, claude, mcp } = await idleSession()
    const spare = await startClaude(sean, { CLAUDE_CODE_SESSION_ATTENDED: '0' })
    spare.writeRecord({ kind: 'bg', jobId: 'job2', spare: true, status: 'idle' })
    await spare.hook('UserPromptSubmit')
    await spare.hook('Stop')
    const spareMcp = await spare.mcp()
    const asked = await mcp.call('send', { to: 'chasclaude', message: 'A question' })
    const id = /Message (\S+)\./.exec(asked.text)![1]!
    await send('for the one in sight')
    await until('the wake', () => claude.wakes.length > 0)
    await mcp.call('inbox', { ack: true })
    expect((await spareMcp.call('machines')).text).toMatch(/\(you\): machine, online$/m)

    // ← in an empty prompt: the conversation continues in a background process, which Claude Code calls unattended.
    const background = await startClaude(sean, { CLAUDE_CODE_SESSION_ATTENDED: '0' })
    background.writeRecord({ kind: 'bg', jobId: 'job1', status: 'idle' })
    claude.writeRecord({ kind: 'interactive', parkedJobId: 'job1', status: 'idle' })
    await claude.hook('UserPromptSubmit')
    await claude.hook('Stop')
    const backgroundMcp = await background.mcp()
    await until('the one session', async () => {
      const { stdout } = await sean.run(['machines', '--json'])
      const { members } = JSON.parse(stdout) as { members: { name: string; sessions?: { id: string }[] }[] }
      const sessions = members.find(({ name }) => name === sean.name)?.sessions ?? []
      return sessions.length === 1 && JSON.stringify(sessions).includes(basename(background.socket, '.sock'))
    })
    await send('the answer', { replyTo: id, intent: 'inform' })
    await until('the wake', () => background.wakes.length > 0)
    expect(background.wakes.map(textsIn)).toEqual([['the answer']])
    await backgroundMcp.call('inbox', { ack: true })
    await backgroundMcp.call('machines')
    await send('for your information', { intent: 'inform' })
    expect(textsIn(await background.untilAnnounced('UserPromptSubmit'))).toEqual(['for your information'])
    await backgroundMcp.call('inbox', { ack: true })
    await backgroundMcp.call('machines')

    // The spare worker is assigned to a user, and becomes a normal session.
    spare.writeRecord({ kind: 'bg', jobId: 'job2', status: 'busy' })
    await spare.hook('UserPromptSubmit')
    await spare.hook('Stop')
    spare.writeRecord({ kind: 'bg', jobId: 'job2', status: 'idle' })
    await until('two sessions', async () => /2 sessions/.test((await spareMcp.call('machines')).text))
    await send('for the newest')
    await until('the wake', () => spare.wakes.length > 0)
    expect([claude.wakes.length, background.wakes.length, spare.wakes.map(textsIn)]).toEqual([
      1,
      1,
      [['for the newest']],
    ])
  })

  test.for(['urgent', 'request'] as const)(
    'after Esc, which runs no hook, a message (%s) wakes it at once',
    async intent => {
      const { send, claude } = await busySession()
      claude.writeRecord({ status: 'idle' })
      await send('hello', { intent })
      await until('the wake', () => claude.wakes.length > 0, 90_000)
      expect(textsIn(claude.wakes[0]!)).toEqual(['hello'])
      expect(await claude.hook('UserPromptSubmit')).toBe('')
    },
  )

  test('at an open prompt a message comes through the socket at once, and once; another session is notified first', async () => {
    const { send, sean, claude, mcp } = await busySession()
    claude.writeRecord({ status: 'waiting', waitingFor: 'permission prompt' })
    await send('stop!', { intent: 'urgent' })
    await until('the line', () => claude.wakes.length > 0, 90_000)
    claude.writeRecord({ status: 'busy' })
    expect(await claude.hook('PostToolUse')).toBe('')
    await mcp.call('inbox', { ack: true })
    await mcp.call('machines')

    const other = await startClaude(sean)
    await other.hook('UserPromptSubmit')
    await other.hook('Stop')
    await other.mcp()
    await claude.hook('UserPromptSubmit')
    claude.writeRecord({ status: 'waiting', waitingFor: 'input needed' })
    await until('the status on disk', () => fileText(claude, 'session.json').includes('waiting'))
    await until('the status on disk', () => fileText(other, 'session.json') !== '')
    await send('and again')
    await until('the wake', () => other.wakes.length > 0)
    expect(claude.wakes).toHaveLength(1)
  })

  test('a session that does not react holds messages on its socket: the waiting hook wakes it at once', async () => {
    const { send, claude } = await idleSession()
    const waiter = claude.waiter()
    await until('the waiter', () => existsSync(fileOf(claude, 'waiter.json')))
    claude.writeRecord({ status: 'idle' })
    await send('hello', { intent: 'urgent' })
    const { code, stderr } = await waiter.ended
    expect([code, textsIn(stderr), claude.wakes.map(textsIn)]).toEqual([2, ['hello'], [['hello']]])
  })
})

test('the crash of its MCP server is announced once: by the waiting hook, or by the next one', async () => {
  const { claude, mcp, sean } = await idleSession()
  const waiter = claude.waiter()
  await until(
    'the session and its waiter',
    () => existsSync(fileOf(claude, 'waiter.json')) && existsSync(fileOf(claude, 'session.json')),
  )
  process.kill(mcp.pid, 'SIGKILL')
  const { code, stderr } = await waiter.ended
  expect([code, stderr]).toEqual([
    2,
    expect.stringMatching(/^Claude Net: .*MCP server of claude-net has died.*Reconnect/),
  ])
  for (const event of ['UserPromptSubmit', 'PostToolUse', 'Stop']) expect(await claude.hook(event)).toBe('')

  const busy = await startClaude(sean)
  await busy.hook('UserPromptSubmit')
  const second = await busy.mcp()
  await until('the session', () => existsSync(fileOf(busy, 'session.json')))
  process.kill(second.pid, 'SIGKILL')
  expect(await busy.untilAnnounced('Stop')).toMatch(/has died/)
  for (const event of ['Stop', 'UserPromptSubmit', 'PostToolUse']) expect(await busy.hook(event)).toBe('')
  // After another connection it ends normally, which is not announced.
  const third = await busy.mcp()
  await until('its session', () => fileText(busy, 'session.json').includes(`"pid":${third.pid}`))
  await third.close()
  await until('its end', () => !existsSync(fileOf(busy, 'session.json')))
  expect(await busy.hook('UserPromptSubmit')).toBe('')
})

test('an urgent message does not wait 30 s for hooks that do not run if Claude Code has no record of the session', async () => {
  const { send, claude } = await busySession()
  await send('hello', { intent: 'urgent' })
  await until('the wake', () => claude.wakes.length > 0, 90_000)
  expect(await claude.hook('UserPromptSubmit')).toBe('')
})

describe('a headless session', () => {
  test.for([
    ['CLAUDE_CODE_ENTRYPOINT', 'sdk-cli'],
    ['CLAUDE_CODE_ENTRYPOINT', 'sdk-ts'],
  ] as const)('is not notified, and does not count as present: %s=%s', async ([variable, value]) => {
    const env = { [variable]: value }
    const { send, sean, claude, mcp } = await busySession()
    const headless = await startClaude(sean, env)
    const headlessMcp = await headless.mcp()
    await send('hello')
    await until('the pointer to the message', () => newsOf(claude).length > 0)
    for (const event of ['SessionStart', 'UserPromptSubmit', 'PostToolUse', 'Stop'])
      expect(await headless.hook(event, { source: 'resume' })).toBe('')
    expect(await headless.waiter().ended).toEqual({ code: 0, stderr: '' })
    const machines = (await headlessMcp.call('machines')).text
    expect(machines).toMatch(new RegExp(`^${sean.name} \\(you\\): machine, online$`, 'm'))
    expect(headless.lines).toEqual([])
    // It has the tools, and the other sessions are not notified of messages that it has read.
    expect((await headlessMcp.call('inbox')).text).toContain('> hello')
    await until('the pointer to be deleted', () => newsOf(claude).length === 0)
    expect(await claude.hook('PostToolUse')).toBe('')
    await until('the report of the hub', async () => (await mcp.call('inbox')).text.includes('shown to session'))
  })

  test('is notified if config.json says so, but no hook waits in it', async () => {
    const { sean, send } = await seansMachine()
    writeFileSync(
      join(sean.home, 'config.json'),
      JSON.stringify({ machine: sean.name, hub: hub.url.origin, headless: true }),
    )
    const headless = await startClaude(sean, { CLAUDE_CODE_ENTRYPOINT: 'sdk-cli' })
    const mcp = await headless.mcp()
    await until('its presence', async () => (await mcp.call('machines')).text.includes('(you): machine, online'))
    await send('hello')
    expect(textsIn(await headless.untilAnnounced('PostToolUse'))).toEqual(['hello'])
    expect(await headless.waiter().ended).toEqual({ code: 0, stderr: '' })
  })
})

test('two servers in one session, such as with a plugin beside the settings, notify and wake as one', async () => {
  const { send, claude, mcp, sean } = await idleSession()
  const second = await claude.mcp()
  await until('its presence', async () => (await second.call('machines')).text.includes('(you): machine, online'))
  expect((await sean.run(['machines', '--json'])).stdout).toContain('"sessions":[')
  await send('hello')
  await until('the wake', () => claude.wakes.length > 0)
  await second.call('inbox', { ack: true })
  await claude.hook('Stop')
  const { members } = JSON.parse((await sean.run(['machines', '--json'])).stdout)
  expect(members.find(({ name }: { name: string }) => name === sean.name).sessions).toHaveLength(1)
  // When the session's keeper ends, the other server takes over.
  await mcp.close()
  await send('again')
  await until('the second wake', () => claude.wakes.length > 1)
  expect(claude.wakes.map(textsIn)).toEqual([['hello'], ['again']])
})

test('the refusal of a send that waited is announced by the next hook, once', async () => {
  const own = await startHub()
  const claude = await startClaude(await startMachine(own, 'seanclaude'))
  const mcp = await claude.mcp()
  await claude.hook('UserPromptSubmit')
  await own.stop()
  expect((await mcp.call('send', { to: 'nobody-there', message: 'hello' })).text).toMatch(/^Kept/)
  await own.start()
  expect(await claude.untilAnnounced('PostToolUse')).toMatch(
    /^Claude Net: A message that waited for the hub was refused .*nobody-there/,
  )
  expect(await claude.hook('PostToolUse')).toBe('')
  expect((await mcp.call('machines')).text).not.toContain('refused')
})

describe('doctor --wake', () => {
  test('proves that a session wakes and reads, and names the rung that woke it', async () => {
    const { sean, claude, mcp } = await idleSession()
    const admin = hub.client(hub.adminToken)
    await until('the session is present', async () =>
      (await admin.call(api.listMachines)).members.some(({ name, online }) => name === sean.name && online),
    )
    // Also after a rename that is not in config.json yet.
    await admin.call(api.renameMember, { params: { name: sean.name }, body: { to: `${sean.name}-desk` } })
    const doctor = sean.run(['doctor', '--wake'])
    await until('the wake', () => claude.wakes.length > 0)
    expect(claude.wakes[0]).toContain('A test by claude-net doctor --wake.')
    await mcp.call('inbox', { ack: true })
    const { code, stdout, stderr } = await doctor
    expect(stdout).toMatch(/^ok +wake +session \S+ was woken by its inbox socket and read it, after \d+ s$/m)
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('until a running session (1 here) reads a test message'),
    ])
    expect((await mcp.call('inbox')).text).toBe('No unread messages.')
  })

  test('fails if no session runs', async () => {
    const { sean } = await seansMachine()
    expect(await sean.run(['doctor', '--wake'])).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^FAIL +wake +no Claude Code session of this machine runs.*\n +→ Start claude/m),
    })
  })
})

test('the client version of each session is shown; an old one is named, and told once to reconnect', async () => {
  const { sean } = await seansMachine()
  const old = join(tempDir('old'), 'claude-net.mjs')
  writeFileSync(old, readFileSync(program, 'utf8').replaceAll(`"${version}"`, '"0.0.1"'))
  const mcp = await sean.mcp({}, ['sh', '-c', `exec '${machineNode}' '${old}' mcp`])
  const text = await until('the advice', async () => {
    const { text } = await mcp.call('machines')
    return text.includes('This session runs') && text
  })
  expect(text).toMatch(new RegExp(`^This session runs claude-net 0\\.0\\.1, the hub has ${version}.*reconnect`))
  const machines = await mcp.call('machines')
  expect(machines.text).not.toContain('This session runs')
  expect((await sean.run(['machines'])).stdout).toMatch(
    /claude-net\/0\.0\.1 \(old: update, then reconnect under \/mcp\)/,
  )
})

test('a hostile text stays one escaped line in a notice and in a wake', async () => {
  const { send, claude } = await idleSession()
  const tricks = [
    'closing tags',
    'a channel',
    'a turn of the user',
    'a cleared screen',
    'reversed text',
    'a line separator',
  ]
  const bodies = tricks.map(trick => hostileBodies[trick]!)
  const frame =
    /^(- chasclaude \(machine\), request, just now: > .*|Claude Net.*|\d+ unread messages from chasclaude\.|They come from .*)$/
  const expectFramed = (text: string) => {
    expect(text.split('\n').filter(line => !frame.test(line))).toEqual([])
    expect(hiddenIn(text)).toEqual([])
    expect(text).not.toMatch(/<|&(?!amp;|lt;|gt;)/)
  }
  for (const body of bodies) await send(body)
  await until('the wake', () => claude.wakes.length > 0)
  expectFramed(claude.wakes[0]!)
  await claude.hook('UserPromptSubmit')
  expectFramed(await claude.hook('SessionStart', { source: 'clear' }))
})

describe('a session that has sent a question', () => {
  test('is woken by the answer, an inform, even if another session was active last; a reply to that wakes no session', async () => {
    const asker = await idleSession()
    const answerer = await idleSession()
    const asked = await asker.mcp.call('send', { to: answerer.sean.name, message: 'Is the build red?' })
    const id = /Message (\S+)\./.exec(asked.text)![1]!
    const later = await startClaude(asker.sean)
    const laterMcp = await later.mcp()
    await until('both', async () => /2 sessions/.test((await laterMcp.call('machines')).text))
    await later.hook('UserPromptSubmit')
    await later.hook('Stop')

    await until('the question', () => answerer.claude.wakes.length > 0)
    await answerer.mcp.call('inbox')
    await answerer.mcp.call('send', { to: asker.sean.name, message: 'No, green.', reply_to: id })
    await until('the answer', () => asker.claude.wakes.length > 0)
    expect(asker.claude.wakes[0]).toMatch(/\(machine\), inform, an answer, just now: > No, green\.$/m)
    const answer = /Message (\S+)/.exec((await asker.mcp.call('inbox')).text)![1]!

    await asker.mcp.call('send', { to: answerer.sean.name, message: 'Thank you.', reply_to: answer })
    await until('the answer', () => newsOf(answerer.claude).length > 0)
    await answerer.send('Another question')
    await until('the next wake', () => answerer.claude.wakes.length > 1)
    expect(answerer.claude.wakes.map(textsIn)).toEqual([['Is the build red?'], ['Another question']])
    expect([asker.claude.wakes.length, later.wakes]).toEqual([1, []])
  })

  test('is woken, and only it: the sender of a broadcast inform is not woken by replies', async () => {
    const { send, claude, mcp, sean } = await idleSession()
    await hub.client(hub.adminToken).call(api.putGroup, {
      params: { name: `${sean.name}-ops` },
      body: { members: ['chasclaude', sean.name] },
    })
    const ids = []
    for (const to of ['all', `${sean.name}-ops`]) {
      const told = await mcp.call('send', { to, message: 'Staging is down.' })
      ids.push(/Message (\S+)\./.exec(told.text)![1]!)
    }
    for (const replyTo of ids) await send('I see', { replyTo, intent: 'inform' })
    await until('the pointer to the message', () => newsOf(claude).length === 2)
    await send('A question')
    await until('the wake', () => claude.wakes.length > 0)
    expect(claude.wakes.map(textsIn)).toEqual([['A question']])
  })

  test('is notified of the ack, once and without a wake; the request is open until it is answered', async () => {
    const { send, sean, claude, mcp } = await idleSession()
    const asked = await mcp.call('send', { to: 'chasclaude', message: 'Is the build\nred?' })
    const id = /Message (\S+)\./.exec(asked.text)![1]!
    expect((await mcp.call('machines')).text).toMatch(
      new RegExp(
        `\\n1 request of yours without an answer:\\n- ${id}: just now, waiting for chasclaude \\(stored\\): > Is the build$`,
      ),
    )
    await chas.client.call(api.ackInbox, { body: { ids: [id] } })
    await until('the pointer to the message', () => newsOf(claude).length > 0)
    expect(await claude.hook('Stop')).toBe('')
    expect(await claude.hook('UserPromptSubmit')).toBe(
      `Claude Net, of what this session sent:\n- ${id} was read and acked by chasclaude`,
    )
    expect(await claude.hook('SessionStart', { source: 'clear' })).toBe('')
    expect((await sean.run(['history'])).stdout).toMatch(/chasclaude: acked just now, not answered yet/)
    expect((await sean.run(['doctor'])).stdout).toMatch(/^note +requests +1 request without an answer/m)
    expect((await sean.run(['machines'])).stdout).toContain('waiting for chasclaude (acked): > Is the build')

    // An idle session would be woken.
    await claude.hook('UserPromptSubmit')
    await send('No, green.', { replyTo: id, intent: 'inform' })
    expect(await claude.untilAnnounced('UserPromptSubmit')).toMatch(
      /- chasclaude \(machine\), inform, an answer, just now: > No, green\./,
    )
    expect((await mcp.call('machines')).text).not.toContain('without an answer')
    expect((await sean.run(['history'])).stdout).toMatch(/chasclaude: acked just now, answered just now/)
    expect(claude.wakes).toEqual([])
  })

  test('is notified once that an order expired unread, by a message of the hub', async () => {
    const { claude, mcp } = await idleSession()
    const asked = await mcp.call('send', { to: 'chasclaude', message: 'Do it now', expires: 'in 1s' })
    const id = /Message (\S+)\./.exec(asked.text)![1]!
    await until('the pointer to the message', () => newsOf(claude).length > 0)
    const told = await claude.hook('UserPromptSubmit')
    expect(told).toContain('- hub (hub), inform, just now: > What became of 1 message that you sent:')
    expect(told.split('\n').filter(line => /expired|became/.test(line))).toHaveLength(1)
    expect(await claude.hook('UserPromptSubmit')).toBe('')
    expect((await mcp.call('inbox')).text).toContain(
      `> - It expired at chasclaude before anybody there had acked it. Message ${id}, which begins: Do it now`,
    )
    expect(claude.wakes).toEqual([])
  })

  test('is notified of the answer alone if that is also the ack; a reply requests no answer by default', async () => {
    const { send, claude, mcp } = await busySession()
    const asked = await mcp.call('send', { to: 'chasclaude', message: 'A question' })
    const id = /Message (\S+)\./.exec(asked.text)![1]!
    await send('The answer', { replyTo: id, intent: 'inform' })
    const told = await claude.untilAnnounced('PostToolUse')
    expect(told).toContain('an answer')
    expect(told).not.toContain('was read and acked')
    expect(await claude.hook('PostToolUse')).toBe('')

    const question = await send('And yours?')
    await mcp.call('send', { to: 'chasclaude', message: 'Mine', reply_to: question })
    const [answer] = (await chas.client.call(api.readInbox)).messages.filter(({ replyTo }) => replyTo === question)
    expect(answer!.intent).toBe('inform')
  })
})

function newsOf(claude: ClaudeSession): string[] {
  const dir = fileOf(claude, 'news')
  return existsSync(dir) ? readdirSync(dir).filter(name => name.endsWith('.json')) : []
}

/** Returns each session whose turn it is to be notified of a machine's unread messages, with the end of its turn. */
function turnsOf({ machine }: ClaudeSession): { session: string; until: number }[] {
  const dir = join(machine.home, 'run', 'turns')
  if (!existsSync(dir)) return []
  const files = readdirSync(dir).filter(name => /\.\d+$/.test(name))
  // An empty file is being written.
  const texts = files.map(name => readFileSync(join(dir, name), 'utf8')).filter(text => text !== '')
  return texts.map(text => JSON.parse(text))
}

function fileOf({ machine, socket }: ClaudeSession, name: string): string {
  return join(machine.home, 'run', 'sessions', basename(socket, '.sock'), name)
}

function fileText(claude: ClaudeSession, name: string): string {
  const file = fileOf(claude, name)
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
