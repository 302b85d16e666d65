import { spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { userHookSettings } from '../src/claude/hooks.ts'
import { api } from '../src/protocol/api.ts'
import { hashJoinCode, joinCodeLifeS, mintJoinCode } from '../src/protocol/join-code.ts'
import { tokenPattern } from '../src/protocol/token.ts'
import { version } from '../src/protocol/version.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { startMachine } from './support/machine.ts'
import { findTool, Newcomer, readJson } from './support/newcomer.ts'
import { machineNode } from './support/program.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { tempDir } from './support/temp.ts'
import { TestState } from './support/test-state.ts'

const modeOf = (path: string) => statSync(path).mode & 0o777
const entryOf = (newcomer: Newcomer) => ({
  type: 'stdio',
  command: join(newcomer.home, 'bin', 'claude-net'),
  args: ['mcp'],
  env: {},
  alwaysLoad: true,
})
const rule = 'mcp__claude-net'
const hooksOf = (newcomer: Newcomer) => userHookSettings(join(newcomer.home, 'bin', 'claude-net'), newcomer.userHome)

const hubAlone = emptiedHub()

async function newcomerToHub(): Promise<{ hub: TestHub; sean: Newcomer }> {
  const hub = await hubAlone()
  return { hub, sean: new Newcomer(hub) }
}

beforeEach(context => {
  if (!findTool('curl')) context.skip('the join line needs curl, which is not installed here')
})

describe('the join line', () => {
  test('makes a machine of an empty home: configuration, secret token, command, and a check that it works', async () => {
    const { hub, sean } = await newcomerToHub()
    const { code, stdout, stderr } = await sean.join()
    expect([code, stderr]).toEqual([0, ''])
    expect(readJson(join(sean.home, 'config.json'))).toEqual({
      machine: 'seanclaude',
      sshHost: 'local',
      hub: hub.tlsOrigin,
      hubKey: hub.hubKey,
    })
    expect(sean.token).toMatch(tokenPattern)
    expect([modeOf(sean.home), modeOf(join(sean.home, 'token'))]).toEqual([0o700, 0o600])
    expect(await sean.run('version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })

    const links = ['config', 'hub', 'proof', 'token', 'clock', 'project', 'outbox', 'claude']
    expect([...stdout.matchAll(/^(ok|note|FAIL) +(\w+)/gm)].map(([, state, link]) => `${link} ${state}`)).toEqual(
      links.map(link => `${link} ${link === 'claude' ? 'note' : 'ok'}`),
    )
    expect(stdout).toContain('the hub knows this machine as seanclaude, 0 unread')
    expect(stdout).toContain(`Note: ${sean.bin} is not on your PATH; the command is ${sean.command}.`)
    expect(await sean.run('doctor')).toMatchObject({ code: 0, stderr: '' })
    // Without Claude Code, none of its files are created.
    expect(readdirSync(sean.userHome).sort()).toEqual(['.claude-net', 'bin', 'tools'])
  })

  test('joins a human as a human', async () => {
    const { hub, sean } = await newcomerToHub()
    expect(await sean.sh(sean.joinLine(await sean.invite('sean', 'human')))).toMatchObject({ code: 0 })
    const { members } = await hub.client(hub.adminToken).call(api.listMembers)
    expect(members).toMatchObject([{ name: 'sean', kind: 'human', joinedAt: expect.any(String) }])
  })

  test('may be fetched any number of times before it is used', async () => {
    const { hub, sean } = await newcomerToHub()
    const code = await sean.invite()
    for (let n = 0; n < 3; n++) {
      const response = await fetch(`${hub.url.origin}/join/${code.toLowerCase()}`)
      expect(response.headers.get('content-type')).toBe('text/x-shellscript; charset=utf-8')
      expect(await response.text()).toContain(`printf '%s\\n' '${code}' | node`)
    }
    expect(await sean.sh(sean.joinLine(code))).toMatchObject({ code: 0 })
  })

  test('does nothing if the download was incomplete', async () => {
    const { hub, sean } = await newcomerToHub()
    const script = await (await fetch(`${hub.url.origin}/join/${await sean.invite()}`)).text()
    const file = join(tempDir('cut'), 'join.sh')
    writeFileSync(file, script)
    const whole = script.lastIndexOf('join "$@"')
    for (const bytes of [10, 100, ...Array.from({ length: 12 }, (_, n) => Math.round((whole * (n + 1)) / 12))])
      await sean.sh(`head -c ${bytes} ${file} | sh`)
    expect(readdirSync(sean.userHome)).toEqual(['tools'])
    expect(await sean.sh(`cat ${file} | sh -s -- --bin ${sean.bin}`)).toMatchObject({ code: 0 })
  })

  test('explains what is missing if Node is not installed or too old', async () => {
    const { sean } = await newcomerToHub()
    const line = sean.joinLine(await sean.invite())
    const node = join(sean.tools, 'node')
    rmSync(node)
    const without = await sean.sh(line)
    expect([without.code, without.stderr]).toEqual([
      1,
      'claude-net: Node.js 20 or newer is needed here; it was not found on the PATH.\n',
    ])
    writeFileSync(node, '#!/bin/sh\n[ "$1" = --version ] && echo v18.20.8\nexit 1\n', { mode: 0o755 })
    const old = await sean.sh(line)
    expect([old.code, old.stderr]).toEqual([1, 'claude-net: Node.js 20 or newer is needed here; this is v18.20.8.\n'])
    expect(existsSync(sean.home)).toBe(false)
  })
})

describe('A08: an invalid code', () => {
  const sentence =
    'claude-net: This join code is unknown, used, or older than 10 minutes. Ask the admin for: claude-net invite NAME\n'

  test.for(['AAAA-BBBB-CCCC-DDDD', 'nonsense', 'x%27%3B%20touch%20evil%20%27'])(
    'fails with one sentence if it is %s',
    async code => {
      const { sean } = await newcomerToHub()
      expect(await sean.sh(sean.joinLine(code))).toEqual({ code: 1, stdout: '', stderr: sentence })
      expect(readdirSync(sean.userHome)).toEqual(['tools'])
    },
  )

  test('fails in the same way after it has expired', async () => {
    const dataDir = join(tempDir('hub'), 'data')
    const code = mintJoinCode()
    const earlier = new TestState(dataDir)
    const codeHash = hashJoinCode(code).toString('base64')
    earlier.do({ type: 'member.invite', name: 'seanclaude', kind: 'machine', codeHash, lifeS: joinCodeLifeS })
    earlier.time += joinCodeLifeS * 1000
    earlier.do({ type: 'clock.tick' })
    earlier.state.close()
    const hub = await startHub({ dataDir })
    const sean = new Newcomer(hub)
    expect(await sean.sh(sean.joinLine(code))).toEqual({ code: 1, stdout: '', stderr: sentence })
  })

  test('fails in the same way after it was used, and does not change a machine that has joined', async () => {
    const { hub, sean } = await newcomerToHub()
    const code = await sean.invite()
    expect(await sean.sh(sean.joinLine(code))).toMatchObject({ code: 0 })
    const token = sean.token
    expect(await sean.sh(sean.joinLine(code))).toEqual({ code: 1, stdout: '', stderr: sentence })
    // Also for a script that was fetched before the code was used.
    const again = await sean.run(`join ${hub.url.origin} --machine seanclaude --code ${code}`)
    expect(again).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'claude-net: This join code has been used already.\nAsk the admin for a new one: claude-net invite seanclaude\n',
    })
    expect(sean.token).toBe(token)
    expect(await sean.run('inbox')).toMatchObject({ code: 0 })
  })
})

describe('with Claude Code present', () => {
  const otherServer = { type: 'stdio', command: 'other', args: [], env: {} }
  const state = {
    numStartups: 7,
    mcpServers: { other: otherServer },
    projects: { '/srv/app': { allowedTools: ['Bash(ls)'], mcpServers: { another: otherServer } } },
  }
  const ownHook = { type: 'command', command: '/usr/bin/say done' }
  const settings = {
    model: 'opus',
    permissions: { deny: ['WebFetch'], allow: ['Bash(ls)'] },
    hooks: { Stop: [{ hooks: [ownHook] }], PreToolUse: [{ matcher: 'Bash', hooks: [ownHook] }] },
  }

  test('join registers the server for all projects, allows its tools, prints both, and keeps everything else', async () => {
    const { sean } = await newcomerToHub()
    sean.installClaude({ state, settings })
    chmodSync(sean.state, 0o640)
    const before = [readFileSync(sean.state), readFileSync(sean.settings)]
    const { code, stdout } = await sean.join()
    expect(code).toBe(0)
    expect(readJson(sean.state)).toEqual({
      ...state,
      mcpServers: { other: otherServer, 'claude-net': entryOf(sean) },
    })
    expect(readJson(sean.settings)).toEqual({
      ...settings,
      permissions: { deny: ['WebFetch'], allow: ['Bash(ls)', rule] },
      hooks: {
        ...hooksOf(sean),
        Stop: [...settings.hooks.Stop, ...hooksOf(sean).Stop!],
        PreToolUse: settings.hooks.PreToolUse,
      },
    })
    expect(stdout).toContain(
      `${sean.state}\n    MCP server 'claude-net' for all projects: ${sean.home}/bin/claude-net mcp`,
    )
    expect(stdout).toContain(`${sean.settings}\n    permission rule '${rule}': its tools are used without asking`)
    expect(stdout).toMatch(
      /settings\.json\n {4}hooks on SessionStart, UserPromptSubmit, PostToolUse, Stop, PermissionRequest, Notification: they notify /,
    )

    const backups = [`${sean.state}.before-claude-net`, `${sean.settings}.before-claude-net`]
    expect(backups.map(path => readFileSync(path))).toEqual(before)
    expect(stdout).toContain(`Done. As it was before: ${backups.join(', ')}`)
    expect(modeOf(sean.state)).toBe(0o640)
    expect(stdout).toMatch(/^ok +claude +registered in /m)
    // The registered command is the one that Claude Code will start.
    expect(await sean.sh(`${entryOf(sean).command} mcp </dev/null`)).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  test('join creates the files if Claude Code was never started, accessible to its user only', async () => {
    const { sean } = await newcomerToHub()
    sean.installClaude()
    expect(await sean.join()).toMatchObject({ code: 0, stdout: expect.stringContaining('\nDone.\n') })
    expect(readJson(sean.state)).toEqual({ mcpServers: { 'claude-net': entryOf(sean) } })
    expect(readJson(sean.settings)).toEqual({ permissions: { allow: [rule] }, hooks: hooksOf(sean) })
    expect([modeOf(sean.state), modeOf(sean.settings)]).toEqual([0o600, 0o600])
  })

  test('if Claude Code is installed later, the command that join named sets it up, with the same token and no code', async () => {
    const { hub, sean } = await newcomerToHub()
    const { stdout } = await sean.join()
    const command = /Once it is installed, run: (.*)$/m.exec(stdout)![1]!
    expect(command).toBe(
      `${sean.home}/bin/claude-net join ${hub.tlsOrigin} --hub-key ${hub.hubKey} --machine seanclaude`,
    )
    const token = sean.token
    sean.installClaude({ state, settings })
    expect(await sean.sh(`${command} --bin ${sean.bin}`)).toMatchObject({ code: 0, stderr: '' })
    expect(sean.token).toBe(token)
    expect(readJson(sean.state)).toMatchObject({ mcpServers: { 'claude-net': entryOf(sean) } })

    const asOther = await sean.run(`join ${hub.url.origin} --machine jazclaude --bin ${sean.bin}`)
    expect(asOther).toMatchObject({ code: 1, stderr: expect.stringContaining('This machine is seanclaude, not jaz') })
    expect(readJson(join(sean.home, 'config.json'))).toMatchObject({ machine: 'seanclaude' })
  })

  test('join writes through a symbolic link into a repository of dotfiles', async () => {
    const { sean } = await newcomerToHub()
    sean.installClaude({ state, settings })
    const target = join(tempDir('dotfiles'), 'settings.json')
    renameSync(sean.settings, target)
    symlinkSync(target, sean.settings)
    expect(await sean.join()).toMatchObject({ code: 0 })
    expect(readlinkSync(sean.settings)).toBe(target)
    expect(readJson(target)).toMatchObject({ permissions: { allow: ['Bash(ls)', rule] } })
  })

  test('join replaces an older server of the same name, for the user and in projects, and lists them', async () => {
    const { sean } = await newcomerToHub()
    const older = { type: 'stdio', command: 'node', args: ['/opt/old/server.js'], env: {} }
    sean.installClaude({
      state: {
        mcpServers: { 'claude-net': older },
        projects: { '/srv/app': { mcpServers: { another: otherServer, 'claude-net': older } }, '/srv/b': {} },
      },
    })
    const { code, stdout } = await sean.join()
    expect(code).toBe(0)
    expect(readJson(sean.state)).toEqual({
      mcpServers: { 'claude-net': entryOf(sean) },
      projects: { '/srv/app': { mcpServers: { another: otherServer } }, '/srv/b': {} },
    })
    expect(stdout).toContain(', instead of: node /opt/old/server.js\n')
    expect(stdout).toContain("without 'claude-net' in /srv/app, which would hide it: node /opt/old/server.js\n")
  })

  test('joining again with a new code keeps the inbox and creates no duplicates; the old token is revoked', async () => {
    const { hub, sean } = await newcomerToHub()
    sean.installClaude({ state, settings })
    const first = [readFileSync(sean.state, 'utf8'), readFileSync(sean.settings, 'utf8')]
    await sean.join()
    const [written, oldToken] = [[readFileSync(sean.state, 'utf8'), readFileSync(sean.settings, 'utf8')], sean.token]
    const chas = await hub.join('chasclaude')
    await chas.client.call(api.sendMessage, { body: { to: 'seanclaude', body: 'sent before' } })
    const config = join(sean.home, 'config.json')
    writeFileSync(config, JSON.stringify({ ...readJson(config), ofALaterVersion: true }))
    // The user removed the rule: it is written again, and the backup keeps the content from before the first join.
    writeFileSync(sean.settings, JSON.stringify(settings))

    const { code, stdout } = await sean.join()
    expect(code).toBe(0)
    expect(stdout).not.toContain(`${sean.state}\n`)
    expect((await sean.join()).stdout).not.toContain('settings change')
    expect([readFileSync(sean.state, 'utf8'), readFileSync(sean.settings, 'utf8')]).toEqual(written)
    expect([`${sean.state}.before-claude-net`, `${sean.settings}.before-claude-net`].map(readText)).toEqual(first)
    expect(readdirSync(sean.bin)).toEqual(['claude-net'])
    expect(readJson(config)).toMatchObject({ machine: 'seanclaude', ofALaterVersion: true })

    expect(sean.token).not.toBe(oldToken)
    expect((await sean.run('inbox')).stdout).toContain('> sent before')
    await expect(hub.client(oldToken).call(api.readInbox)).rejects.toMatchObject({ code: 'unauthorized' })
  })

  test('a malformed settings file is not changed, the code is not used, and the same line works after a correction', async () => {
    const { sean } = await newcomerToHub()
    sean.installClaude({ settings })
    writeFileSync(sean.state, '{ "mcpServers": { ')
    const line = sean.joinLine(await sean.invite())
    const { code, stderr } = await sean.sh(line)
    expect([code, stderr]).toEqual([
      1,
      `claude-net: ${sean.state} is not a JSON object, so it is left alone.\nCorrect it, then run this again.\n`,
    ])
    expect([readText(sean.state), readJson(sean.settings)]).toEqual(['{ "mcpServers": { ', settings])
    writeFileSync(sean.state, '{}')
    expect(await sean.sh(line)).toMatchObject({ code: 0, stderr: '' })

    writeFileSync(sean.state, '[]')
    const doctor = await sean.run('doctor')
    expect(doctor).toMatchObject({ code: 1, stderr: '' })
    expect(doctor.stdout).toMatch(
      /^ok +token .*\n(.*\n)*FAIL +claude +.* is not a JSON object, so it is left alone\.\n/m,
    )
  })

  test('with --no-claude its files are not changed', async () => {
    const { sean } = await newcomerToHub()
    sean.installClaude({ state, settings })
    const { code, stdout } = await sean.join('--no-claude')
    expect(code).toBe(0)
    expect([readJson(sean.state), readJson(sean.settings)]).toEqual([state, settings])
    expect(readdirSync(join(sean.userHome, '.claude'))).toEqual(['settings.json'])
    expect(stdout).toMatch(/^note +claude .*lacks: MCP server/m)
  })

  test.for([
    ['n\n', 'n'],
    ['\u0003', 'Ctrl-C'],
    ['\u0004', 'Ctrl-D'],
  ] as const)(
    'on a terminal join asks for confirmation; after %j it has joined and not changed the files',
    async ([keys], context) => {
      if (!findTool('script')) context.skip('a terminal needs script of util-linux, which is not installed here')
      const { sean } = await newcomerToHub()
      sean.installClaude({ state, settings })
      const line = sean.joinLine(await sean.invite())
      const { code, stdout } = await sean.onTerminal(line, 'Change them? [Y/n]', keys)
      expect([code, stdout]).toEqual([0, expect.stringMatching(/Left alone\.(.|\r\n)*ok +token/)])
      expect(stdout).not.toContain('Error')
      expect([readJson(sean.state), readJson(sean.settings)]).toEqual([state, settings])
      expect(await sean.run('inbox')).toMatchObject({ code: 0 })
    },
  )

  test('on a terminal Enter confirms, and --yes does not ask', async context => {
    if (!findTool('script')) context.skip('a terminal needs script of util-linux, which is not installed here')
    const { sean } = await newcomerToHub()
    sean.installClaude({ state, settings })
    const asked = await sean.onTerminal(sean.joinLine(await sean.invite()), 'Change them? [Y/n]', '\n')
    expect(asked).toMatchObject({ code: 0, stdout: expect.stringContaining('Done. As it was before') })
    expect(readJson(sean.state)).toMatchObject({ mcpServers: { 'claude-net': entryOf(sean) } })

    writeFileSync(sean.state, JSON.stringify(state))
    const yes = await sean.onTerminal(sean.joinLine(await sean.invite(), '--yes'), 'Change them?', 'n\n')
    expect([yes.code, yes.stdout]).toEqual([0, expect.not.stringContaining('Change them?')])
    expect(readJson(sean.state)).toMatchObject({ mcpServers: { 'claude-net': entryOf(sean) } })
  })

  test('hooks of an older version are replaced, even beside hooks of the user', async () => {
    const { sean } = await newcomerToHub()
    const old = { type: 'command', command: `${sean.home}/bin/claude-net`, args: ['hook', '--old'], timeout: 1 }
    sean.installClaude({ settings: { hooks: { Stop: [{ hooks: [old, ownHook] }], Notification: [{ hooks: [old] }] } } })
    expect((await sean.join()).stdout).toContain('hooks on SessionStart')
    const { hooks } = readJson(sean.settings)
    expect(hooks).toEqual({ ...hooksOf(sean), Stop: [{ hooks: [ownHook] }, ...hooksOf(sean).Stop!] })
    expect((await sean.join()).stdout).not.toContain('settings change')
  })

  test('a hook without news exits before Node is started; with news, or for other events, it runs', async () => {
    const { sean } = await newcomerToHub()
    await sean.join()
    const news = join(sean.home, 'run', 'sessions', '4711', 'news')
    mkdirSync(news, { recursive: true })
    const hook = (args: string) =>
      sean.sh(
        `echo '{"hook_event_name":"PostToolUse"}' | CLAUDE_CODE_MESSAGING_SOCKET=/tmp/4711.sock ${sean.command} hook ${args}`,
      )
    const mail = {
      kind: 'mail',
      id: 'x',
      seq: 1,
      from: 'chas',
      fromKind: 'human',
      intent: 'inform',
      sentAt: 0,
      beginning: 'Hi',
    }
    writeFileSync(join(news, '000000000000001-mail-x.json'), JSON.stringify(mail))
    mkdirSync(join(news, '..', 'told'))
    expect(await hook('--if-news')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('chas (human)'),
      stderr: '',
    })
    // Without the client's file, hooks end silently; other commands report it.
    renameSync(join(sean.home, 'claude-net.mjs'), join(sean.home, 'gone.mjs'))
    expect(await hook('--if-news')).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(await hook('')).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(await sean.run('version')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('claude-net.mjs is missing'),
    })
    // Hooks of a headless run also end silently, unless the machine allows headless sessions.
    writeFileSync(join(sean.home, 'claude-net.mjs'), "process.stdout.write('ran')")
    const headless = (args: string) =>
      sean.sh(`echo '{}' | CLAUDE_CODE_ENTRYPOINT=sdk-cli ${sean.command} hook ${args}`)
    for (const args of ['', '--wait', '--if-news'])
      expect(await headless(args)).toEqual({ code: 0, stdout: '', stderr: '' })
    const config = join(sean.home, 'config.json')
    writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), headless: true }))
    expect(await headless('')).toMatchObject({ stdout: 'ran' })
  })

  test('the command ignores NODE_OPTIONS of editors, and works after its home was moved', async () => {
    const { sean } = await newcomerToHub()
    await sean.join()
    const debugged = await sean.sh(`NODE_OPTIONS='--require /nowhere/attach.js' ${sean.command} version`)
    expect(debugged).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
    const moved = join(sean.userHome, 'moved')
    renameSync(sean.home, moved)
    expect(await sean.sh(`${moved}/bin/claude-net inbox`)).toMatchObject({ code: 0, stderr: '' })
  })

  test('explains what to set if the user has no home directory', async context => {
    if (process.getuid?.() !== 0 || !findTool('setpriv'))
      context.skip('only root, with setpriv, can become a user without an entry')
    const { hub, sean } = await newcomerToHub()
    const script = `unset HOME; ${sean.joinLine(await sean.invite())}`
    expect(await sean.sh(script)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^claude-net: HOME is not set/),
    })
    await sean.join()
    chmodSync(sean.userHome, 0o755)
    chmodSync(sean.home, 0o755)
    const join = `claude-net.mjs join ${hub.url.origin} --machine x --code AAAA-BBBB-CCCC-DDDD`
    const as = `${findTool('setpriv')} --reuid 1000730000 --regid 0 --clear-groups ${machineNode} ${sean.home}/${join}`
    expect(await sean.sh(`unset HOME; ${as}`)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'claude-net: HOME is not set, and user 1000730000 has no entry in /etc/passwd.\nSet HOME, or CLAUDE_NET_HOME to the directory that Claude Net should use.\n',
    })
    expect(await sean.sh(`HOME=/ ${as}`)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^claude-net: \/\.claude-net cannot be made \(EACCES\)\.\nSet CLAUDE_NET_HOME/),
    })
  })

  test('join lists the running sessions, since they must be restarted', async context => {
    if (process.platform !== 'linux') context.skip('a process with a name of its own needs Linux')
    const { sean } = await newcomerToHub()
    sean.installClaude()
    const cwd = tempDir('project')
    const running = spawn(findTool('sleep')!, ['60'], { argv0: 'claude', cwd, stdio: 'ignore' })
    const other = spawn(findTool('sleep')!, ['60'], { argv0: 'claudette', cwd, stdio: 'ignore' })
    onTestFinished(() => {
      running.kill()
      other.kill()
    })
    const { stdout } = await sean.join()
    expect(stdout).toMatch(/^These Claude Code sessions run already; restart them/m)
    expect(stdout).toContain(`\n  process ${running.pid} in ${cwd}\n`)
    expect(stdout).not.toContain(`process ${other.pid}`)
  })

  describe('leave', () => {
    test('undoes everything that join did, and keeps the inbox on the hub', async () => {
      const { hub, sean } = await newcomerToHub()
      sean.installClaude({ state, settings })
      await sean.join()
      const chas = await hub.join('chasclaude')
      await chas.client.call(api.sendMessage, { body: { to: 'seanclaude', body: 'waits' } })

      const { code, stdout } = await sean.run(`leave --bin ${sean.bin}`)
      expect([code, stdout]).toEqual([0, expect.stringContaining('claude-net invite seanclaude')])
      expect([readJson(sean.state), readJson(sean.settings)]).toEqual([state, settings])
      expect([existsSync(sean.home), lstatSync(sean.command, { throwIfNoEntry: false })]).toEqual([false, undefined])
      const { members } = await hub.client(hub.adminToken).call(api.listMembers)
      expect(members.find(({ name }) => name === 'seanclaude')?.unread).toBe(1)
    })

    test('restores the state before join, except for empty values', async () => {
      const { sean } = await newcomerToHub()
      sean.installClaude()
      await sean.join()
      await sean.run(`leave --bin ${sean.bin}`)
      expect([readJson(sean.state), readJson(sean.settings)]).toEqual([
        { mcpServers: {} },
        { permissions: { allow: [] } },
      ])
    })

    test('refuses while messages wait in the outbox, unless their loss is confirmed', async () => {
      const { hub, sean } = await newcomerToHub()
      sean.installClaude({ state, settings })
      await sean.join()
      await hub.stop()
      expect(await sean.run('send all hello')).toMatchObject({ code: 75 })
      expect(await sean.run(`leave --bin ${sean.bin}`)).toEqual({
        code: 1,
        stdout: '',
        stderr:
          'claude-net: 1 message in the outbox waits for the hub still.\nclaude-net inbox sends them once the hub is back; --force deletes them.\n',
      })
      expect(readJson(sean.state)).toMatchObject({ mcpServers: { 'claude-net': entryOf(sean) } })
      expect(await sean.run('send all hello')).toMatchObject({ code: 75 })
      expect(await sean.run(`leave --force --bin ${sean.bin}`)).toMatchObject({ code: 0 })
      expect(existsSync(sean.home)).toBe(false)
    })

    test('removes nothing while a settings file is malformed', async () => {
      const { sean } = await newcomerToHub()
      sean.installClaude({ state, settings })
      await sean.join()
      writeFileSync(sean.settings, '{')
      expect(await sean.run(`leave --bin ${sean.bin}`)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`${sean.settings} is not a JSON object, so it is left alone.`),
      })
      expect(readJson(sean.state)).toMatchObject({ mcpServers: { 'claude-net': entryOf(sean) } })
      expect(await sean.run('inbox')).toMatchObject({ code: 0 })
    })
  })
})

describe('A07: a token file is refused, with the remedy,', () => {
  async function refused(change: (path: string) => void) {
    const machine = await startMachine(await hubAlone(), 'seanclaude')
    const path = join(machine.home, 'token')
    change(path)
    const { code, stderr } = await machine.run(['inbox'])
    const tool = await (await machine.mcp()).call('inbox')
    expect([code, tool]).toEqual([1, { isError: true, text: stderr.replace(/^claude-net: /, '').trimEnd() }])
    return { machine, path, stderr }
  }

  test('if others can read it', async () => {
    const { machine, path, stderr } = await refused(file => chmodSync(file, 0o644))
    expect(stderr).toBe(
      `claude-net: ${path} can be read by others, so it is not used.\nIf you still trust it: chmod 600 ${path}\n`,
    )
    chmodSync(path, 0o600)
    expect(await machine.run(['inbox'])).toMatchObject({ code: 0 })
  })

  test('if it is a symbolic link', async () => {
    const { path, stderr } = await refused(file => {
      renameSync(file, `${file}.elsewhere`)
      symlinkSync(`${file}.elsewhere`, file)
    })
    expect(stderr).toBe(`claude-net: ${path} is not a plain file, so it is not used.\nRemove it and join again.\n`)
  })

  test('if it belongs to another user', async context => {
    if (process.getuid?.() !== 0) context.skip('only root can give a file away')
    const { path, stderr } = await refused(file => chownSync(file, 65534, 65534))
    expect(stderr).toBe(`claude-net: ${path} belongs to another user, so it is not used.\nRemove it and join again.\n`)
  })

  test('if it contains something else', async () => {
    const { path, stderr } = await refused(file => writeFileSync(file, 'clnt_m_tooshort\n'))
    expect(stderr).toBe(`claude-net: ${path} contains no Claude Net token.\nRemove it and join again.\n`)
  })
})

function readText(path: string): string {
  return readFileSync(path, 'utf8')
}
