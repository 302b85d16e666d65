import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { joinLine, plainJoinLine } from '../src/protocol/join-line.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { findTool, Newcomer } from './support/newcomer.ts'
import { machineNode, type Ran, run } from './support/program.ts'
import { sharedHub } from './support/shared-hub.ts'
import { startSshd } from './support/sshd.ts'

beforeEach(context => {
  if (!findTool('curl')) context.skip('the join line needs curl, which is not installed here')
})

/** Replaces a tool by a program that records its arguments and then runs the tool. Returns a function that reads the record. */
function watchArguments(directory: string, name: string, real: string): () => string {
  const [file, notes] = [join(directory, name), join(directory, `${name}.arguments`)]
  rmSync(file, { force: true })
  writeFileSync(file, `#!/bin/sh\nprintf '%s\\n' "$*" >> '${notes}'\nexec '${real}' "$@"\n`)
  chmodSync(file, 0o755)
  return () => readFileSync(notes, 'utf8')
}

const options = (newcomer: Newcomer) => `-s -- --no-claude --bin ${newcomer.bin}`

describe('the code is in no process argument', () => {
  test('of the line that invite prints', async () => {
    const hub = await startHub()
    const sean = new Newcomer(hub)
    const seen = [
      watchArguments(sean.tools, 'curl', findTool('curl')!),
      watchArguments(sean.tools, 'node', machineNode),
    ]
    const { command, code } = await invited(hub, 'seanclaude', '--url', hub.url.origin)
    expect(await sean.sh(`${command} ${options(sean)}`)).toMatchObject({ code: 0, stderr: '' })
    const all = seen.map(notes => notes())
    expect(all).toEqual([
      expect.stringContaining('-K -'),
      expect.stringContaining(`join ${hub.tlsOrigin} --hub-key ${hub.hubKey} --machine seanclaude --code-stdin`),
    ])
    expect(all.join('')).not.toContain(code)
  })

  test('on either side of ssh, whatever command the configuration of ssh names', async context => {
    const sshd = await startSshd(context)
    const hub = await startHub()
    const laptop = new Newcomer(hub)
    rmSync(join(laptop.tools, 'curl'))
    sshd.configureClient('RemoteCommand echo of the user\n  RequestTTY force')
    // The remote side runs the curl of its own PATH.
    const far = watchArguments(sshd.dir, 'curl', findTool('curl')!)
    sshd.authorize(`command="PATH=${sshd.dir}:$PATH; eval \\"$SSH_ORIGINAL_COMMAND\\""`)
    const near = [
      watchArguments(laptop.tools, 'ssh', join(sshd.tools, 'ssh')),
      watchArguments(laptop.tools, 'node', machineNode),
    ]
    const at = `http://localhost:${hub.port}`
    const { command, code } = await invited(hub, 'laptopclaude', '--via', 'ovh5', '--url', at)
    expect(await laptop.sh(`${command} ${options(laptop)}`)).toMatchObject({ code: 0 })
    await laptop.run('leave')
    const all = [far, ...near].map(notes => notes())
    expect(all[0]).toContain('-K -')
    expect(all.join('')).not.toContain(code)
  })
})

test('the earlier line is printed with --plain, and joins', async () => {
  const hub = await startHub()
  const sean = new Newcomer(hub)
  const { command, code } = await invited(hub, 'seanclaude', '--url', hub.url.origin, '--plain')
  expect(command).toBe(plainJoinLine({ origin: hub.url.origin, code }))
  const notes = watchArguments(sean.tools, 'node', machineNode)
  // The line that all earlier versions printed.
  const before = `curl -fsSL ${hub.url.origin}/join/${code} | sh`
  expect(await sean.sh(`${before} ${options(sean)}`)).toMatchObject({ code: 0, stderr: '' })
  expect(notes()).not.toContain(code)
  const { command: again } = await invited(hub, 'seanclaude', '--url', hub.url.origin, '--plain')
  expect(await sean.sh(`${again} ${options(sean)}`)).toMatchObject({ code: 0, stderr: '' })
  const viaOvh5 = await invited(hub, 'laptopclaude', '--via', 'ovh5', '--plain')
  expect(viaOvh5.command).toBe(
    `ssh -T -o RemoteCommand=none ovh5 'curl -fsSL --noproxy "*" "http://localhost:3500/join/${viaOvh5.code}?via=ovh5"' | sh`,
  )
})

test('an https address with the port of the hub is the hub itself; with another port it is a proxy with its own certificate', async () => {
  const hub = await startHub()
  const line = async (url: string, ...more: string[]) =>
    (await invited(hub, 'seanclaude', '--url', url, ...more)).command
  const own = hub.url.origin.replace('http:', 'https:')
  expect(await line(own)).toContain('pinnedpubkey="sha256//')
  expect(await line(own, '--plain')).toContain(`'${hub.url.origin}/join/`)
  expect(await line('https://hub.example.org')).not.toContain('pinnedpubkey')
  const sean = new Newcomer(hub)
  expect(await sean.sh(`${await line(own)} ${options(sean)}`)).toMatchObject({ code: 0, stderr: '' })
})

test('join reads a code from standard input, and reports a missing or a second one', async () => {
  const hub = await startHub()
  const sean = new Newcomer(hub)
  const args = ['join', hub.url.origin, '--machine', 'seanclaude', '--no-claude', '--bin', sean.bin, '--code-stdin']
  const joinWith = (input: string, ...more: string[]) => run([...args, ...more], { env: sean.env, input })
  expect(await joinWith('\n')).toMatchObject({ code: 2, stderr: expect.stringContaining('No code came on standard') })
  const both = await joinWith('AAAA-BBBB-CCCC-DDDD\n', '--code', 'AAAA-BBBB-CCCC-DDDD')
  expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining('exclude each other') })
  expect(await joinWith(`${await sean.invite()}\r\n`)).toMatchObject({ code: 0, stderr: '' })
})

test('a proxy from the environment is not used between a machine and its hub', async () => {
  const sean = new Newcomer(await startHub())
  const dead = 'http_proxy=http://127.0.0.1:9 ALL_PROXY=http://127.0.0.1:9'
  const line = `${sean.joinLine(await sean.invite())} --no-claude`
  expect(await sean.sh(`export ${dead}; ${line}`)).toMatchObject({ code: 0, stderr: '' })
})

test.for([['zsh'], ['bash'], ['busybox', 'sh']])(
  'a line with an IPv6 address and a question mark is pasted into %j',
  async ([shell, ...applet], context) => {
    const path = findTool(shell!)
    if (!path) context.skip(`${shell} is not installed here`)
    const hub = await startHub({ config: { host: '::' } })
    const sean = new Newcomer(hub)
    for (const form of [joinLine, plainJoinLine]) {
      const line = form({ origin: `http://[::1]:${hub.port}`, code: await sean.invite(), hubKey: hub.hubKey })
      writeFileSync(join(sean.userHome, 'line'), `${line} ${options(sean)}\n`)
      expect(await sean.sh(`${[path, ...applet].join(' ')} line`)).toMatchObject({ code: 0, stderr: '' })
    }
  },
)

describe('A08: the line fails and explains every refusal', () => {
  const hub = sharedHub()

  /** Returns the output of a shell that runs the join script of an address. */
  const pasted = (hub: TestHub, url: string, curl = ''): Promise<Ran> =>
    new Newcomer(hub).sh(`curl -fsSL ${curl} '${url}' | sh`)

  test.for([
    ['/join/AAAA-BBBB-CCCC-DDDD?via=-oProxyCommand', '', 'a host for ssh is HOST or USER@HOST'],
    ["/join/AAAA-BBBB-CCCC-DDDD?it's=$(id)", '', 'Unrecognized key'],
    [`/join/${'A'.repeat(65)}`, '', '<=64 characters'],
    [`/join/${'A'.repeat(300)}`, '', 'malformed or too long'],
    ['/join/%zz', '', 'malformed or too long'],
    ['/join/', '', 'path.code'],
    ['/join/AAAA/BBBB', '', 'There is no GET on this path.'],
    ['/join/AAAA-BBBB-CCCC-DDDD', '-X POST', 'There is no POST on this path.'],
    ['/join/AAAA-BBBB-CCCC-DDDD', '-H "Host: hub.lan"', 'does not answer to the name in the Host header'],
    ['/join/AAAA-BBBB-CCCC-DDDD', '-H "Origin: http://x"', 'Requests from web pages of another origin are refused'],
  ])('%s %s', async ([path, curl, why]) => {
    const { code, stdout, stderr } = await pasted(hub, `${hub.url.origin}${path}`.replaceAll("'", "'\\''"), curl)
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^claude-net: [^\n]+\n[^\n]+\n$/)
    expect(stderr).toContain(why)
  })

  test('to clients outside the networks, or after too many guesses', async () => {
    const inside = await startHub({ config: { trustedNetworks: ['10.0.0.0/8'] } })
    const url = `${inside.url.origin}/join/AAAA-BBBB-CCCC-DDDD`
    const outside = await pasted(inside, url)
    expect(outside).toMatchObject({ code: 1, stderr: expect.stringContaining('answers to its own networks only') })
    // A client other than a shell gets the usual error.
    expect((await fetch(url)).status).toBe(403)

    const strict = await startHub({ config: { limits: { failures: { perMinute: 1, burst: 1 } } } })
    const guess = `${strict.url.origin}/join/AAAA-BBBB-CCCC-DDDD`
    expect((await pasted(strict, guess)).stderr).toContain('This join code is unknown')
    expect(await pasted(strict, guess)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^claude-net: Too many wrong join codes .*\nTry again in \d+ s\.\n$/),
    })
  })
})

describe('a warning about an unusable address', () => {
  const hub = sharedHub()

  test.for([
    ['foo'],
    ['hub.lan:3500'],
    ['ftp://hub.lan'],
    ['http://hub.lan/path'],
    ['http://hub.lan/?q'],
    ['http://me@hub.lan'],
    ["http://hub'lan"],
    ['http://$(id)'],
    [''],
    ['https://hub.lan', '--via', 'ovh5'],
    ['http://hub.lan', '--via', '-oProxyCommand=x'],
  ])('%j is refused before a member or a code is created', async url => {
    const { code, stdout, stderr } = await run(['invite', 'sean', '--data', hub.dataDir, '--url', ...url])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^claude-net: --(url|via)\b[^\n]*\n[^\n]+\n$/)
    expect((await hub.client(hub.adminToken).call(api.listMembers)).members).toEqual([])
  })

  test('is printed if the hub or its networks would refuse it, or no hub responds there', async () => {
    const hub = await startHub({ config: { hosts: ['hub_1.lan.'] } })
    const warned = async (...args: string[]) => {
      const { code, stderr, stdout } = await run(['invite', 'sean', '--data', hub.dataDir, '--json', ...args])
      expect([code, Object.keys(JSON.parse(stdout))]).toEqual([0, ['code', 'name', 'expiresAt', 'hubKey', 'command']])
      return stderr
    }
    expect(await warned('--url', `http://other.lan:${hub.port}`)).toMatch(
      /^claude-net: warning: http:\/\/other\.lan:\d+ would be refused\. .*Host header\. .*'hosts' in hub\.json\.\n$/,
    )
    expect(await warned('--via', 'ovh5', '--url', 'http://other.lan:3500')).toContain('would be refused')
    expect(await warned('--via', 'ovh5', '--url', 'http://HUB_1.lan:3500')).toBe('')
    expect(await warned('--via', 'ovh5')).toBe('')
    expect(await warned('--url', hub.url.origin)).toBe('')
    expect(await warned('--url', 'http://10.255.255.1:1')).toContain('no hub answers at http://10.255.255.1:1')
  })

  test('is printed if the hub would not trust machines there', async () => {
    const hub = await startHub({ config: { host: '::', trustedNetworks: ['::1'] } })
    const { code, stderr } = await run([
      'invite',
      'sean',
      '--data',
      hub.dataDir,
      '--url',
      `http://127.0.0.1:${hub.port}`,
    ])
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(
        /^claude-net: warning: A machine at .*would be refused\. This hub answers to its own networks/,
      ),
    ])
  })
})

async function invited(hub: TestHub, ...args: string[]): Promise<{ command: string; code: string }> {
  const { stdout } = await run(['invite', ...args, '--data', hub.dataDir, '--json'])
  return JSON.parse(stdout) as { command: string; code: string }
}
