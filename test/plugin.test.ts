import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { describe, expect, onTestFinished, test } from 'vitest'
import { hookSettings } from '../src/claude/hooks.ts'
import { pluginName, pluginPermissionRule, pluginServerName } from '../src/claude/plugin.ts'
import { rulesPassage } from '../src/mcp/instructions.ts'
import { version } from '../src/protocol/version.ts'
import { startMachine } from './support/machine.ts'
import { findTool, Newcomer, readJson } from './support/newcomer.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { tempDir } from './support/temp.ts'

const hubAlone = emptiedHub()

const plugin = join(import.meta.dirname, '../plugin')
const root = `\${CLAUDE_PLUGIN_ROOT}`

type Server = { command: string; args: string[] }
const server = (readJson(join(plugin, '.mcp.json')).mcpServers as Record<string, Server>)[pluginServerName]!

/** Runs the plugin's launcher as Claude Code would, in a home of its own. */
function launch(args: string[], env: Record<string, string>) {
  const { status, stdout, stderr } = spawnSync(join(plugin, 'bin/claude-net'), args, {
    env: { PATH: process.env.PATH ?? '', ...env },
    input: '',
    encoding: 'utf8',
  })
  return { code: status, stdout, stderr }
}

/** Starts the plugin's MCP server as Claude Code does, from a copy in its cache. Closed with the test. */
async function connect(env: Record<string, string>, from = plugin) {
  const client = new Client({ name: 'claude-code', version: '2.1.330' }, { versionNegotiation: { mode: 'auto' } })
  const transport = new StdioClientTransport({
    command: server.command.replace(root, from),
    args: server.args.map(arg => arg.replace(root, from)),
    env: { PATH: process.env.PATH ?? '', ...env },
    // Not in a project: the checkout would be one.
    cwd: tempDir('place'),
  })
  onTestFinished(() => client.close())
  await client.connect(transport)
  const call = async (name: string) => {
    const { content, isError } = await client.callTool({ name: `claude_net_${name}`, arguments: {} })
    return { text: content.map(part => (part.type === 'text' ? part.text : '')).join(''), isError: isError === true }
  }
  return { client, call }
}

describe('the manifests', () => {
  test('name one plugin, of this version, which the marketplace at the root of the repository offers', () => {
    const manifest = readJson(join(plugin, '.claude-plugin/plugin.json'))
    const marketplace = readJson(join(plugin, '../.claude-plugin/marketplace.json'))
    expect(manifest).toMatchObject({ name: pluginName, version })
    expect(marketplace).toMatchObject({ name: 'claude-net', plugins: [{ name: pluginName, source: './plugin' }] })
    expect(Object.keys(readJson(join(plugin, '.mcp.json')).mcpServers as object)).toEqual([pluginServerName])
  })

  test('the hooks are those of the table from which join writes them', () => {
    expect(readJson(join(plugin, 'hooks/hooks.json')).hooks).toEqual(hookSettings(`${root}/bin/claude-net`))
  })

  test('each command is allowed to call the tool that it mentions, of either server', () => {
    for (const name of ['inbox', 'send', 'machines']) {
      const text = readFileSync(join(plugin, `commands/${name}.md`), 'utf8')
      const tools = [`${pluginPermissionRule}__claude_net_${name}`, `mcp__claude-net__claude_net_${name}`]
      expect(text).toContain(`\nallowed-tools: ${tools.join(', ')}\n---\n`)
      expect(text.split('---\n')[2]).toContain(`claude_net_${name}`)
    }
  })
})

test('the rules are the same in the server and in the skill', async () => {
  const session = await (await startMachine(await hubAlone(), 'seanclaude')).mcp()
  const skill = readFileSync(join(plugin, 'skills/claude-net/SKILL.md'), 'utf8')
  expect(rulesPassage).toBe(`# Claude Net\n\n${session.client.getInstructions()}\n`)
  expect(skill.split('---\n\n').at(-1)).toBe(rulesPassage)
})

describe('on a machine that has joined', { timeout: 180_000 }, () => {
  test('the plugin starts its client, even from a cache elsewhere, and with a home of another name', async () => {
    const hub = await hubAlone()
    const sean = new Newcomer(hub)
    expect(await sean.join()).toMatchObject({ code: 0 })
    const cache = join(tempDir('cache'), 'claude net', 'claudenet')
    cpSync(plugin, cache, { recursive: true })
    const byHome = await connect({ HOME: sean.userHome }, cache)
    expect((await byHome.call('machines')).text).toMatch(/^You are seanclaude;/)
    const byName = await connect({ HOME: tempDir('other'), CLAUDE_NET_HOME: sean.home })
    expect((await byName.call('inbox')).text).toBe('No unread messages.')
    // The command that Claude runs in a shell uses the same client.
    expect(launch(['version'], { HOME: sean.userHome })).toMatchObject({ code: 0, stdout: `${version}\n` })
  })

  test('a client whose Node was removed uses the one on the PATH, and explains what is missing if that is too old', async () => {
    const sean = new Newcomer(await hubAlone())
    await sean.join()
    const node = join(sean.tools, 'node')
    const launcher = join(sean.home, 'bin', 'claude-net')
    const moved = readFileSync(launcher, 'utf8').replace(/^node=.*$/m, 'node=/gone/node')
    writeFileSync(launcher, moved)
    const env = { HOME: sean.userHome, PATH: sean.tools }
    expect(launch(['version'], env)).toMatchObject({ code: 0, stdout: `${version}\n` })
    rmSync(node)
    writeFileSync(node, '#!/bin/sh\necho v18.20.8\n', { mode: 0o755 })
    expect(launch(['mcp'], env)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'claude-net: Node.js 20 or newer is needed here. It was removed, or is not on the PATH.\n',
    })
    expect(launch(['hook'], env)).toEqual({ code: 0, stdout: '', stderr: '' })
  })
})

describe('on a machine that has not joined', { timeout: 180_000 }, () => {
  test('the server connects, and every tool explains how to join, and afterwards how to continue', async () => {
    const hub = await hubAlone()
    const sean = new Newcomer(hub)
    const { client, call } = await connect({ HOME: sean.userHome })
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(['claude_net_send', 'claude_net_inbox', 'claude_net_machines'])
    expect(client.getInstructions()).toContain('has not joined')
    for (const name of ['send', 'inbox', 'machines']) {
      expect(await call(name)).toEqual({ isError: true, text: expect.stringContaining('"claude-net invite NAME"') })
    }
    await sean.join()
    expect((await call('inbox')).text).toContain('reconnect this MCP server with /mcp')
    const after = await connect({ HOME: sean.userHome })
    expect((await after.call('inbox')).text).toBe('No unread messages.')
  })

  test('hooks are silent, other commands explain why there is no client, and so does the server without Node', async () => {
    const userHome = tempDir('nobody')
    const env = { HOME: userHome }
    expect(launch(['hook'], env)).toEqual({ code: 0, stdout: '', stderr: '' })
    const send = launch(['send', 'seanclaude', 'hello'], env)
    expect(send).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'claude-net: this machine has not joined a hub, so this command is not there yet. Ask the admin of the hub for: claude-net invite NAME\n',
    })
    const tools = join(userHome, 'tools')
    mkdirSync(tools)
    symlinkSync(findTool('sh')!, join(tools, 'sh'))
    const without = launch(['mcp'], { ...env, PATH: tools })
    expect([without.code, without.stdout]).toEqual([1, ''])
    expect(without.stderr).toContain('and Node.js 20 or newer, which that needs, is not on the PATH.')
  })

  test.for([
    'nonsense',
    '[]',
    'null',
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
    '{"jsonrpc":"2.0","id":1}',
  ])('the server for machines that have not joined continues after %s', line => {
    const ping = '{"jsonrpc":"2.0","id":7,"method":"ping"}'
    const stdout = execFileSync(process.execPath, [join(plugin, 'not-joined.mjs')], {
      input: `${line}\n${ping}\n{"jsonrpc":"2.0","id":8,"method":"constructor"}\n`,
      encoding: 'utf8',
    })
    expect(
      stdout
        .trim()
        .split('\n')
        .map(text => JSON.parse(text)),
    ).toEqual([
      { jsonrpc: '2.0', id: 7, result: {} },
      { jsonrpc: '2.0', id: 8, error: { code: -32601, message: 'There is no constructor here.' } },
    ])
  })
})
