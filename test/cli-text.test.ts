import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { TestMachine } from './support/machine.ts'
import { Newcomer } from './support/newcomer.ts'
import { machineNode, program } from './support/program.ts'
import { sharedHub } from './support/shared-hub.ts'

const hub = sharedHub()
let sean: TestMachine
let token: string

beforeAll(async () => {
  await hub.client(hub.adminToken).call(api.invite, { body: { name: 'beta' } })
  token = (await hub.join('seanclaude')).token
  sean = new TestMachine('seanclaude', join(dirname(hub.dataDir), 'home'))
  mkdirSync(sean.home, { recursive: true, mode: 0o700 })
  const config = { machine: 'seanclaude', sshHost: 'local', hub: hub.url.origin }
  writeFileSync(join(sean.home, 'config.json'), JSON.stringify(config))
  writeFileSync(join(sean.home, 'token'), token, { mode: 0o600 })
})

/** Returns the text of the last message that seanclaude has sent. */
async function lastSent(): Promise<[body: string, intent: string]> {
  const { messages } = await hub.client(token).call(api.listMessages, { query: { limit: 1 } })
  return [messages[0]!.message.body, messages[0]!.message.intent]
}

test.each([
  [['please', 'run', 'npm', 'ls', '--json', 'and', 'tell', 'me'], 'please run npm ls --json and tell me'],
  [['run', 'npm', 'ls', '--json'], 'run npm ls --json'],
  [['use', '--intent', 'urgent', 'for', 'it'], 'use --intent urgent for it'],
  [['git', 'checkout', '--', 'file'], 'git checkout -- file'],
  [['git', 'log', '-1'], 'git log -1'],
  [['claude-net', 'send', '--help'], 'claude-net send --help'],
  [['start it with --json'], 'start it with --json'],
  [['-1 is wrong'], '-1 is wrong'],
  [['- one\n- two'], '- one\n- two'],
  [['--', '--json'], '--json'],
  [['--', 'a', '--', '-b'], 'a -- -b'],
  [['a', '-'], 'a -'],
])('words form the text: %j', async (words, text) => {
  const { code, stdout } = await sean.run(['send', 'beta', ...words])
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^Stored for beta/)])
  expect(await lastSent()).toEqual([text, 'request'])
})

test.each([
  [['send', 'beta', 'hi', '--intent', 'inform', '--json']],
  [['send', 'beta', 'hi', '--intent=inform', '--json']],
  [['send', '--json', '--intent', 'inform', 'beta', 'hi']],
  [['send', '--json', '--intent', 'inform', 'beta', '--', 'hi']],
])('options may precede the recipient or follow a single text argument: %j', async args => {
  const { code, stdout } = await sean.run(args)
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { kept: false }])
  expect(await lastSent()).toEqual(['hi', 'inform'])
})

test('an error is JSON if --json was given, and not if the text merely contains that word', async () => {
  const text = await sean.run(['send', 'nobody', 'run', 'npm', 'ls', '--json'])
  expect(text).toMatchObject({ code: 1, stderr: expect.stringMatching(/^claude-net: No member is called 'nobody'/) })
  const json = await sean.run(['send', 'nobody', 'hi', '--json'])
  expect([json.code, JSON.parse(json.stderr)]).toMatchObject([1, { error: { code: 'not_found' } }])
})

test.each([[''], ['   '], ['\n\t\n'], ['\u200b\u2800']])('a blank text is refused: %j', async text => {
  for (const [args, input] of [
    [['--', text], ''],
    [['-'], text],
  ] as const) {
    const { code, stdout, stderr } = await sean.run(['send', 'beta', ...args], { input })
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining('The text is blank, so nothing was sent.')])
  }
  await expect(hub.client(token).call(api.sendMessage, { body: { to: 'beta', body: text } })).rejects.toMatchObject({
    code: 'invalid',
  })
})

test('bytes that are not UTF-8 are refused, as an argument and on standard input; U+FFFD itself is text', async () => {
  const shell = new Newcomer(hub)
  const sh = (line: string) =>
    shell.sh(
      `export HOME='${sean.userHome}' PATH=/usr/bin:/bin; send() { '${machineNode}' '${program}' send beta "$@"; }; ${line}`,
    )
  for (const bytes of ['f\\374r', '\\377\\376h\\000i\\000', '\\355\\240\\200', 'gr\\303'])
    expect(await sh(`printf '${bytes}' | send -`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Standard input is not in UTF-8, so nothing was sent.'),
    })
  expect(await sh(`send "$(printf 'f\\374r')"`)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('The text is not in UTF-8, so nothing was sent.'),
  })
  expect(await sh(`send 'für \ufffd'`)).toMatchObject({ code: 0 })
  expect((await lastSent())[0]).toBe('für \ufffd')
})
