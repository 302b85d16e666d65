import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { userHookSettings } from '../src/claude/hooks.ts'
import { provenAddress } from '../src/protocol/hub-address.ts'
import { startMachine } from './support/machine.ts'
import { findTool, Newcomer, readJson } from './support/newcomer.ts'
import { emptiedHub } from './support/shared-hub.ts'

const hubAlone = emptiedHub()

const rule = 'mcp__claude-net'
const pluginRule = 'mcp__plugin_claudenet_net'
const enabled = { enabledPlugins: { 'claudenet@claude-net': true } }

beforeEach(context => {
  if (!findTool('curl')) context.skip('the join line needs curl, which is not installed here')
})

async function newcomer() {
  const hub = await hubAlone()
  return { hub, sean: new Newcomer(hub) }
}

describe('with the plugin enabled', { timeout: 180_000 }, () => {
  test('join writes only the permission rule of its server: server and hooks come from the plugin', async () => {
    const { sean } = await newcomer()
    sean.installClaude({ settings: enabled })
    const { code, stdout } = await sean.join()
    expect(code).toBe(0)
    expect(readJson(sean.settings)).toEqual({ ...enabled, permissions: { allow: [pluginRule] } })
    expect(() => readFileSync(sean.state)).toThrow('ENOENT')
    expect(stdout).toMatch(/^ok +claude +the plugin claudenet is enabled, allowed in /m)
    expect((await sean.run('leave')).code).toBe(0)
    expect(readJson(sean.settings)).toEqual({ ...enabled, permissions: { allow: [] } })
  })

  test('doctor lists what join wrote before the plugin was enabled, and join removes it', async () => {
    const { hub, sean } = await newcomer()
    const mine = { model: 'opus', hooks: { Stop: [{ hooks: [{ type: 'command', command: 'my-own' }] }] } }
    sean.installClaude({ state: { numStartups: 3 }, settings: mine })
    await sean.join()
    expect(readJson(sean.state)).toHaveProperty(['mcpServers', 'claude-net'])
    writeFileSync(sean.settings, JSON.stringify({ ...readJson(sean.settings), ...enabled }))

    const before = await sean.run('doctor')
    expect(before.stdout).toContain(
      "has too much: MCP server 'claude-net', registered twice: the plugin claudenet has its own",
    )
    expect(before.stdout).toContain(
      'has too much: hooks of claude-net, registered twice: the plugin claudenet has its own',
    )
    const cure = /→ Run: (.*)$/m.exec(before.stdout)![1]!
    const { origin } = provenAddress(hub.url)
    expect(cure).toBe(`${sean.home}/bin/claude-net join ${origin} --hub-key ${hub.hubKey} --machine seanclaude`)
    expect(await sean.sh(`${cure} --bin ${sean.bin}`)).toMatchObject({ code: 0 })
    expect(readJson(sean.state)).toEqual({ numStartups: 3, mcpServers: {} })
    expect(readJson(sean.settings)).toEqual({ ...mine, ...enabled, permissions: { allow: [rule, pluginRule] } })
    expect((await sean.run('doctor')).stdout).toMatch(/^ok +claude /m)

    // Without the plugin, the same command writes its own entries again.
    writeFileSync(sean.settings, JSON.stringify(mine))
    expect(await sean.sh(`${cure} --bin ${sean.bin}`)).toMatchObject({ code: 0 })
    expect(readJson(sean.state)).toHaveProperty(['mcpServers', 'claude-net'])
    expect(readJson(sean.settings)).toMatchObject({ permissions: { allow: [rule] } })
    expect(JSON.stringify(readJson(sean.settings))).toMatch(/\/bin\/claude-net/)
  })

  test.for([
    ['disabled', { 'claudenet@claude-net': false }],
    ['another’s', { 'claudenet-extra@somewhere': true }],
    ['no object', ['claudenet@claude-net']],
  ] as const)('a plugin that is %s changes nothing', async ([, enabledPlugins]) => {
    const { sean } = await newcomer()
    sean.installClaude({ settings: { enabledPlugins } })
    await sean.join()
    expect(readJson(sean.state)).toHaveProperty(['mcpServers', 'claude-net'])
    expect(readJson(sean.settings)).toMatchObject({
      hooks: userHookSettings(join(sean.home, 'bin', 'claude-net'), sean.userHome),
    })
  })
})

describe('claude-net allow', { timeout: 180_000 }, () => {
  /** Creates a machine with a Claude Code; `rules` reads the rules that `allow` writes. */
  async function withClaude(settings: object, state: object = {}) {
    const sean = await startMachine(await hubAlone(), 'seanclaude')
    const file = join(sean.userHome, '.claude', 'settings.json')
    mkdirSync(join(sean.userHome, '.claude'))
    writeFileSync(file, JSON.stringify(settings))
    writeFileSync(join(sean.userHome, '.claude.json'), JSON.stringify(state))
    return { sean, file, rules: () => (readJson(file).permissions as { allow?: string[] } | undefined)?.allow }
  }

  test('writes the rule once, reports it, keeps everything else, and removes the rule again', async () => {
    const { sean, file, rules } = await withClaude({ model: 'opus', permissions: { allow: ['Bash(ls)'] } })
    chmodSync(file, 0o640)
    expect(await sean.run(['allow', '--yes'])).toEqual({
      code: 0,
      stdout: `${file}: permissions.allow gets ${rule}. As it was before: ${file}.before-claude-net\n`,
      stderr: '',
    })
    expect(rules()).toEqual(['Bash(ls)', rule])
    const again = await sean.run(['allow', '--yes', '--json'])
    expect(JSON.parse(again.stdout)).toEqual({ file, rules: [rule], changed: false })
    expect(rules()).toEqual(['Bash(ls)', rule])
    const undone = await sean.run(['allow', '--undo', '--yes', '--json'])
    expect(JSON.parse(undone.stdout)).toMatchObject({ rules: [], changed: true })
    expect(readJson(file)).toEqual({ model: 'opus', permissions: { allow: ['Bash(ls)'] } })
    expect((await sean.run(['allow', '--undo', '--yes'])).stdout).toContain('has none of our rules')
  })

  test.for([
    ['the plugin', enabled, {}, [pluginRule]],
    ['the registration', {}, { mcpServers: { 'claude-net': {} } }, [rule]],
    ['both', enabled, { mcpServers: { 'claude-net': {} } }, [pluginRule, rule]],
    ['neither yet', {}, {}, [rule]],
  ] as const)('writes the rule for %s', async ([, settings, state, expected]) => {
    const { sean, rules } = await withClaude(settings, state)
    expect(await sean.run(['allow', '--yes'])).toMatchObject({ code: 0, stderr: '' })
    expect(rules()).toEqual(expected)
  })

  test('asks for confirmation on a terminal', async context => {
    if (!findTool('script')) context.skip('a terminal needs script of util-linux, which is not installed here')
    const { sean } = await newcomer()
    await sean.join('--no-claude')
    sean.installClaude({ settings: {} })
    const command = `${sean.command} allow`
    expect((await sean.onTerminal(command, 'Change it? [Y/n]', 'n\n')).stdout).toContain('Left alone.')
    expect(readJson(sean.settings)).toEqual({})
    expect((await sean.onTerminal(command, 'Change it? [Y/n]', '\n')).stdout).toContain('Done.')
    expect(readJson(sean.settings)).toEqual({ permissions: { allow: [rule] } })
  })

  test('writes nothing without a terminal, and prints what it would write', async () => {
    const { sean, file, rules } = await withClaude({})
    expect(await sean.run(['allow'])).toEqual({
      code: 1,
      stdout: '',
      stderr: `claude-net: Nothing was written. What would change: ${file}: permissions.allow gets ${rule}.\nAdd --yes to write it.\n`,
    })
    expect(rules()).toBeUndefined()
  })

  test('does not change a malformed file', async () => {
    const { sean, file } = await withClaude({})
    writeFileSync(file, '{ "permissions": ')
    expect(await sean.run(['allow', '--yes'])).toMatchObject({ code: 1, stderr: expect.stringContaining(file) })
    expect(readFileSync(file, 'utf8')).toBe('{ "permissions": ')
  })

  test('reports that there is no Claude Code', async () => {
    const sean = await startMachine(await hubAlone(), 'seanclaude')
    const env = { PATH: '/nowhere' }
    expect(await sean.run(['allow', '--yes'], { env })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Claude Code was not found'),
    })
  })
})

describe('join --http', { timeout: 180_000 }, () => {
  test('joins, does not change the files of Claude Code, and prints commands that contain no token', async () => {
    const { hub, sean } = await newcomer()
    sean.installClaude({ state: {}, settings: {} })
    const { code, stdout } = await sean.join('--http')
    expect(code).toBe(0)
    expect([readJson(sean.state), readJson(sean.settings)]).toEqual([{}, {}])
    expect(stdout).toContain(
      `claude mcp add --transport http --scope user claude-net ${hub.url.origin}/mcp --header 'Authorization: Bearer \${CLAUDE_NET_TOKEN}'`,
    )
    expect(stdout).toContain(`export CLAUDE_NET_TOKEN="$(cat ${sean.home}/token)"`)
    expect(stdout).not.toContain(sean.token)
    expect(stdout).not.toMatch(/^(note|FAIL)/m)
  })

  test('the printed entry sends the header that identifies the machine, and join does not replace it', async () => {
    const { hub, sean } = await newcomer()
    const { stdout } = await sean.join('--http --json')
    const { http } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { http: { byFile: string } }
    // A substitute for claude that stores its last argument as the shell passes it.
    writeFileSync(join(sean.tools, 'claude'), '#!/bin/sh\nprintf %s "$6" >"$HOME/entry.json"\n', { mode: 0o755 })
    expect(await sean.sh(http.byFile)).toMatchObject({ code: 0, stderr: '' })
    const entry = readJson(join(sean.userHome, 'entry.json')) as { url: string; headersHelper: string }
    const helped = spawnSync(entry.headersHelper, { shell: true, encoding: 'utf8' })
    expect(JSON.parse(helped.stdout)).toEqual({ Authorization: `Bearer ${sean.token}` })
    const answer = await fetch(entry.url, {
      method: 'POST',
      headers: {
        ...(JSON.parse(helped.stdout) as Record<string, string>),
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    })
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('claude_net_inbox')])

    sean.installClaude({ state: { mcpServers: { 'claude-net': entry } }, settings: {} })
    expect((await sean.run('doctor')).stdout).toContain(`lacks: permission rule '${rule}'`)
    await sean.run('allow --yes')
    expect((await sean.run('doctor')).stdout).toMatch(/^ok +claude +registered in /m)
    expect(await sean.run(`join ${hub.url.origin} --machine seanclaude --bin ${sean.bin}`)).toMatchObject({ code: 0 })
    expect(readJson(sean.state)).toEqual({ mcpServers: { 'claude-net': entry } })
  })
})

describe('claude-net clients', { timeout: 180_000 }, () => {
  const printed = async () => {
    const hub = await hubAlone()
    const sean = await startMachine(hub, 'seanclaude')
    const { stdout } = await sean.run(['clients', '--json'])
    const { clients } = JSON.parse(stdout) as { clients: { name: string; form: string; text: string }[] }
    const textOf = (name: string, form: string) =>
      clients.find(entry => entry.name === name && entry.form === form)!.text
    return { hub, sean, clients, textOf, url: `${hub.url.origin}/mcp`, launcher: join(sean.home, 'bin', 'claude-net') }
  }

  test('prints both forms for each client, in the format that it reads', async () => {
    const { sean, textOf, url, launcher } = await printed()
    const bearer = (variable: string) => ({ Authorization: `Bearer ${variable}` })
    const inside = (key: string, entry: object) => ({ [key]: { 'claude-net': entry } })
    expect(textOf('codex', 'stdio')).toBe(`[mcp_servers.claude-net]\ncommand = "${launcher}"\nargs = ["mcp"]`)
    expect(textOf('codex', 'http')).toBe(
      `[mcp_servers.claude-net]\nurl = "${url}"\nbearer_token_env_var = "CLAUDE_NET_TOKEN"`,
    )
    const parsed = (name: string, form: string) => JSON.parse(textOf(name, form)) as unknown
    const stdio = inside('mcpServers', { command: launcher, args: ['mcp'] })
    expect([parsed('gemini', 'stdio'), parsed('cursor', 'stdio')]).toEqual([stdio, stdio])
    expect(parsed('gemini', 'http')).toEqual(
      inside('mcpServers', { httpUrl: url, headers: bearer('$CLAUDE_NET_TOKEN') }),
    )
    expect(parsed('cursor', 'http')).toEqual(inside('mcpServers', { url, headers: bearer(`\${env:CLAUDE_NET_TOKEN}`) }))
    expect(parsed('opencode', 'stdio')).toEqual(
      inside('mcp', { type: 'local', command: [launcher, 'mcp'], enabled: true }),
    )
    expect(parsed('opencode', 'http')).toEqual(
      inside('mcp', { type: 'remote', url, headers: bearer('{env:CLAUDE_NET_TOKEN}'), enabled: true }),
    )
    const all = await sean.run(['clients'])
    const token = readFileSync(join(sean.home, 'token'), 'utf8').trim()
    expect(all.stdout).not.toContain(token)
    expect(all.stdout).toContain(`export CLAUDE_NET_TOKEN="$(cat ${sean.home}/token)"`)
  })

  test('prints one client or one form, and refuses unknown ones', async () => {
    const { sean } = await printed()
    const names = async (...args: string[]) =>
      (
        JSON.parse((await sean.run(['clients', ...args, '--json'])).stdout) as {
          clients: { name: string; form: string }[]
        }
      ).clients.map(({ name, form }) => `${name} ${form}`)
    expect(await names('cursor')).toEqual(['cursor stdio', 'cursor http'])
    expect(await names('--http')).toEqual(['codex http', 'opencode http', 'gemini http', 'cursor http'])
    expect(await sean.run(['clients', 'emacs'])).toMatchObject({ code: 2, stderr: expect.stringContaining('codex') })
  })
})
