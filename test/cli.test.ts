import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { version } from '../src/protocol/version.ts'
import type { TestMember } from './support/hub.ts'
import { cleanEnv, machineNode, program, run, startBuiltFile } from './support/program.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { tempDir } from './support/temp.ts'
import { twoMembers } from './support/two-members.ts'

startBuiltFile()
const hubAlone = emptiedHub()

const contract =
  'send inbox machines history watch join leave doctor update mcp hook hub status invite members demo install-service uninstall-service version help'
/** Returns the names of the commands in a help text. */
const namesIn = (help: string) => [...help.matchAll(/^ {2}([a-z-]+)(?: .*)? {2,}\S/gm)].map(match => match[1]!)

/** Commands that are loaded without the others (src/cli/command-line.ts), and two that are not. */
const loaded = [
  'send',
  'inbox',
  'machines',
  'history',
  'watch',
  'policy',
  'mcp',
  'drain',
  'hub',
  'hook',
  'doctor',
  'webhook add',
]
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

async function unreadOf({ client }: TestMember) {
  return (await client.call(api.readInbox)).messages
}

describe('help and usage', () => {
  test('the help lists every command, and a command has its own however it is loaded', {
    timeout: 300_000,
  }, async () => {
    const { code, stdout } = await run(['--help'])
    expect(code).toBe(0)
    expect(namesIn(stdout)).toEqual(expect.arrayContaining(contract.split(' ')))
    for (const command of loaded) {
      const help = await run([...command.split(' '), '--help'])
      expect([help.code, help.stderr]).toEqual([0, ''])
      expect(help.stdout).toMatch(new RegExp(`^Usage: claude-net ${command}\\b`))
    }
  })

  test.for([
    [[], 'Usage: claude-net'],
    [['sned', 'seanclaude', 'hello'], "unknown command 'sned'"],
    [['send'], "missing required argument 'to'"],
    [['send', 'seanclaude'], "missing required argument 'text'"],
    [['send', 'seanclaude', '--'], "missing required argument 'text'"],
    [['send', 'seanclaude', 'x', '--intent', 'order'], 'Allowed choices are request, inform, urgent'],
    [['send', 'seanclaude', 'x', '--intent'], 'argument missing'],
    [['send', '--intent', 'order', 'seanclaude', 'x'], 'Allowed choices are request, inform, urgent'],
    [['send', '--expires-in', '1h', 'seanclaude', 'x'], 'a number of seconds from 1 to 31536000'],
    [['send', '--jsn', 'seanclaude', 'x'], "unknown option '--jsn'"],
    ...[
      ['--json'],
      ['--json', 'is', 'broken'],
      ['--urgent', 'fix it'],
      ['-V'],
      ['hi', '--jsn'],
      ['ls', '-l'],
      ['npm', '--help'],
      ['hi', '--', '--json'],
      ['the build is red', '--intent', 'urgent', 'please'],
    ].map(words => [['send', 'seanclaude', ...words], 'an option or text?'] as const),
    [['inbox', '--limit', '0'], 'a number from 1 to 100'],
    [['inbox', '--limit', 'many'], 'a number from 1 to 100'],
    [['inbox', '--every'], "unknown option '--every'"],
    [['inbox', '--project', '日本'], 'It must be the name of a project.'],
    [['join', 'http://127.0.0.1:1'], "required option '--machine <name>'"],
    [['hub', '--port', '65536'], 'a number from 0 to 65535'],
    [['invite'], "missing required argument 'name'"],
  ] as const)('invalid usage exits 2 with an explanation: %j', async ([args, why]) => {
    const { code, stdout, stderr } = await run([...args])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr.replaceAll(/\s+/g, ' ')).toContain(why)
    expect(stderr).toContain('--help')
  })

  test('a closed pipe is not an error', async () => {
    const child = spawn(machineNode, [program, '--help'], { env: cleanEnv() })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', chunk => (stderr += chunk))
    expect(await once(child, 'close')).toEqual([0, null])
    expect(stderr).toBe('')
  })

  test('version prints that of the package, alone or as JSON', async () => {
    expect(await run(['version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
    expect((await run(['--version'])).stdout).toBe(`${version}\n`)
    expect(JSON.parse((await run(['version', '--json'])).stdout)).toMatchObject({ version })
  })
})

describe('on a machine that has not joined', () => {
  test.for(['send all hello', 'inbox', 'machines', 'watch'])('%s exits 1 and explains how to join', async line => {
    const env = { HOME: tempDir('unjoined') }
    const text = await run(line.split(' '), { env })
    expect([text.code, text.stdout]).toEqual([1, ''])
    expect(text.stderr).toMatch(/^claude-net: This machine has not joined a hub.*\n.*claude-net invite NAME\n$/)
    const json = await run([...line.split(' '), '--json'], { env })
    expect([json.code, JSON.parse(json.stderr)]).toEqual([
      1,
      { error: { code: 'unauthorized', message: expect.any(String), hint: expect.stringContaining('invite') } },
    ])
  })

  test('doctor fails at the first link, and leave has nothing to undo', async () => {
    const env = { HOME: tempDir('unjoined'), PATH: tempDir('empty') }
    const doctor = await run(['doctor'], { env })
    expect(doctor).toMatchObject({ code: 1, stderr: '' })
    expect(doctor.stdout).toMatch(
      /^FAIL {2}config .*has not joined.*\n +→ Ask the admin for: claude-net invite NAME\n$/,
    )
    expect(await run(['leave'], { env })).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing to undo') })
  })
})

describe('send', () => {
  test('joins its words with spaces, reports the outcome, and exits 0', async () => {
    const { sean, chas } = await twoMembers(hubAlone)
    const { code, stdout, stderr } = await sean.run(['send', 'ChasClaude', 'The', 'build is', 'red.'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^Stored for chasclaude \(no session yet\)\. Message [0-9a-f-]{36}\.\n$/)
    expect((await unreadOf(chas)).map(({ body }) => body)).toEqual(['The build is red.'])
  })

  test('empty names between commas are ignored, by the command as by the tool', async () => {
    const { hub, sean } = await twoMembers(hubAlone)
    await hub.join('jaz')
    const sent = await sean.run(['send', ' chasclaude, ,jaz,', 'hello'])
    expect(sent).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Stored for 2 recipients/) })
    const tool = await (await sean.mcp()).call('send', { to: ' , ', message: 'hello' })
    expect(tool).toMatchObject({ isError: true, text: expect.stringMatching(/nothing is named/) })
  })

  test('reads the text from stdin for -, unchanged except for the final newline', async () => {
    const { sean, chas } = await twoMembers(hubAlone)
    const input = '\ufeff  two lines,\r\n\tgrüße 👩🏽‍🚀 -- --json\n\r\n'
    expect(await sean.run(['send', 'chasclaude', '-', '--intent', 'inform'], { input })).toMatchObject({ code: 0 })
    expect((await unreadOf(chas)).map(({ body, intent }) => [body, intent])).toEqual([
      ['  two lines,\r\n\tgrüße 👩🏽‍🚀 -- --json\n', 'inform'],
    ])
  })

  test('takes intent, reply, expiry, and an id that makes a repetition safe', async () => {
    const { sean, chas } = await twoMembers(hubAlone)
    const asked = await chas.client.call(api.sendMessage, { body: { to: 'seanclaude', body: 'red?' } })
    const id = '0199a0de-0000-7000-8000-000000000000'
    const options = ['--intent', 'urgent', '--reply-to', asked.id, '--expires-in', '3600', '--id', id, '--json']
    for (let n = 0; n < 2; n++) {
      const { code, stdout } = await sean.run(['send', 'chasclaude', 'yes', ...options])
      expect([code, JSON.parse(stdout)]).toEqual([0, { kept: false, answer: expect.objectContaining({ id }) }])
    }
    expect(await unreadOf(chas)).toEqual([
      expect.objectContaining({ id, body: 'yes', intent: 'urgent', replyTo: asked.id, expiresAt: expect.any(String) }),
    ])
    expect((await sean.run(['inbox'])).stdout).toBe('No unread messages.\n')
  })

  test.for([
    ['a typo', ['chasclade', 'x'], 'Did you mean chasclaude? claude-net machines lists all members.'],
    ['a list with one unknown name', ['chasclaude,nobody-here', 'x'], "'nobody-here'"],
    ['a list of nobody', [' , ', 'x'], 'it names nobody'],
    ['an id that is none', ['chasclaude', 'x', '--id', '7'], 'id: '],
  ] as const)('refuses %s with exit status 1 and stores nothing', async ([, args, why]) => {
    const { sean, chas } = await twoMembers(hubAlone)
    const { code, stdout, stderr } = await sean.run(['send', ...args])
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringContaining(why)])
    expect(await unreadOf(chas)).toEqual([])
  })
})

describe('inbox', () => {
  test('shows without consuming; --limit limits the number, and --ack marks the messages shown', async () => {
    const { sean, chas } = await twoMembers(hubAlone)
    for (const body of ['one', 'two\nlines', 'three'])
      await chas.client.call(api.sendMessage, { body: { to: 'seanclaude', body } })
    const whole = await sean.run(['inbox'])
    expect([whole.code, whole.stderr]).toEqual([0, ''])
    const first = 'chasclaude · just now · request · 2 newer messages from chasclaude follow'
    expect(whole.stdout).toMatch(new RegExp(`^3 unread messages\\.\n\n${first}\n> one\n[0-9a-f-]{36}\n\n`))
    expect(whole.stdout).toContain('\n> two\n> lines\n')

    const two = await sean.run(['inbox', '--limit', '2', '--ack'])
    expect(two.stdout).toMatch(/> two\n> lines\n.*\n\n1 more unread\.\n$/)
    expect((await sean.run(['inbox', '--ack'])).stdout).toMatch(/^1 unread message\.\n\n.*\n> three\n/)
    expect((await sean.run(['inbox'])).stdout).toBe('No unread messages.\n')
  })

  test('as JSON it is the response of the hub', async () => {
    const { sean, chas } = await twoMembers(hubAlone)
    const { id } = await chas.client.call(api.sendMessage, { body: { to: ['seanclaude'], body: 'one' } })
    const { stdout } = await sean.run(['inbox', '--json'])
    const message = expect.objectContaining({ id, from: 'chasclaude', to: ['seanclaude'], body: 'one' })
    expect(JSON.parse(stdout)).toEqual({
      you: 'seanclaude',
      messages: [message],
      unread: 1,
      more: 0,
      cursor: expect.any(String),
    })
  })
})

test('without a hub commands exit 75; a kept message is sent with the next command once the hub is back', async () => {
  const { hub, sean, chas } = await twoMembers(hubAlone)
  await hub.stop('SIGKILL')
  const unreachable = /cannot be reached: nothing listens there\.\nFor details: claude-net doctor\n$/
  for (const args of [['inbox'], ['machines']])
    expect(await sean.run(args)).toEqual({ code: 75, stdout: '', stderr: expect.stringMatching(unreachable) })
  for (const args of [['members'], ['invite', 'jazclaude']])
    expect(await run([...args, '--data', hub.dataDir])).toMatchObject({ code: 75, stdout: '' })
  const kept = await sean.run(['send', 'chasclaude', 'first'])
  expect([kept.code, kept.stdout]).toEqual([75, expect.stringMatching(/^Kept on this machine; it goes out when/)])
  const json = await sean.run(['send', 'chasclaude', 'second', '--json'])
  expect([json.code, JSON.parse(json.stdout)]).toEqual([
    75,
    { kept: true, id: expect.stringMatching(uuid), waiting: 2, why: expect.stringContaining('cannot be reached') },
  ])
  const doctor = await sean.run(['doctor'], { env: { PATH: tempDir('empty') } })
  expect([doctor.code, doctor.stdout]).toEqual([1, expect.stringMatching(/^FAIL {2}hub /m)])
  expect(doctor.stdout).toMatch(/^note {2}outbox +2 messages waiting for the hub$/m)

  await hub.start()
  expect(await sean.run(['inbox'])).toMatchObject({ code: 0 })
  expect((await unreadOf(chas)).map(({ body }) => body)).toEqual(['first', 'second'])
  const well = await sean.run(['doctor', '--json'], { env: { PATH: tempDir('empty') } })
  const { checks } = JSON.parse(well.stdout) as { checks: { link: string; state: string }[] }
  expect([well.code, checks.map(({ link, state }) => `${link} ${state}`)]).toEqual([
    0,
    [
      ...['config ok', 'hub ok', 'proof warning', 'token ok', 'clock ok', 'requests warning', 'project ok'],
      ...['outbox ok', 'claude warning'],
    ],
  ])
})

test('with an invalid token commands exit 1 and say whom to ask', async () => {
  const { hub, sean } = await twoMembers(hubAlone)
  await hub.join('seanclaude')
  expect(await sean.run(['inbox'])).toEqual({
    code: 1,
    stdout: '',
    stderr:
      'claude-net: This token is not, or no longer, valid here.\nAsk the admin of the hub for: claude-net invite NAME\n',
  })
})
