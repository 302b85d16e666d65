import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { obstacles } from './obstacles.ts'
import { type ClaudeFiles, register } from './settings.ts'

let dir: string
let files: ClaudeFiles
let managed: string
let project: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'obstacles-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  files = { state: join(dir, '.claude.json'), settings: join(dir, '.claude', 'settings.json') }
  managed = join(dir, 'etc')
  project = join(dir, 'app')
})

const launcher = '/home/sean/.claude-net/bin/claude-net'
const write = (file: string, json: object) => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, JSON.stringify(json))
}
/** Writes each file, registers, and returns each obstacle: its key, and whether it switches everything off. */
function found(given: {
  user?: object
  state?: object
  managed?: object
  dropIn?: object
  server?: object
  local?: object
  mcp?: object
}) {
  if (given.user) write(files.settings, given.user)
  if (given.state) write(files.state, given.state)
  if (given.managed) write(join(managed, 'managed-settings.json'), given.managed)
  if (given.dropIn) write(join(managed, 'managed-settings.d', '10-more.json'), given.dropIn)
  if (given.server) write(join(dir, '.claude', 'remote-settings.json'), given.server)
  if (given.local) write(join(project, '.claude', 'settings.local.json'), given.local)
  if (given.mcp) write(join(managed, 'managed-mcp.json'), given.mcp)
  register(files, launcher)
  return obstacles(files, project, managed).map(({ key, isOff }) => `${key} ${isOff ? 'off' : 'less'}`)
}

test('settings that do not concern the server are no obstacle', () => {
  expect(found({ user: { disableAllHooks: false, permissions: { deny: ['mcp__other', 'Bash'] } } })).toEqual([])
})

test.each<[string, Parameters<typeof found>[0], string]>([
  ['all hooks are off', { user: { disableAllHooks: true } }, 'disableAllHooks less'],
  ['all hooks are off by an administrator', { managed: { disableAllHooks: true } }, 'disableAllHooks less'],
  ['only managed hooks run', { dropIn: { allowManagedHooksOnly: true } }, 'allowManagedHooksOnly less'],
  ['the server is denied', { user: { permissions: { deny: ['mcp__claude-net'] } } }, 'permissions.deny off'],
  ['all its tools are denied', { user: { permissions: { deny: ['mcp__claude-net__*'] } } }, 'permissions.deny off'],
  ['all servers are denied', { server: { permissions: { deny: ['mcp__*'] } } }, 'permissions.deny off'],
  [
    'a tool is denied',
    { user: { permissions: { deny: ['mcp__claude-net__claude_net_inbox'] } } },
    'permissions.deny off',
  ],
  ['a project denies it', { local: { permissions: { deny: ['mcp__claude-net'] } } }, 'permissions.deny less'],
  ['the user is asked', { user: { permissions: { ask: ['mcp__claude-net'] } } }, 'permissions.ask less'],
  [
    'the server is denied by name',
    { user: { deniedMcpServers: [{ serverName: 'claude-net' }] } },
    'deniedMcpServers off',
  ],
  [
    'the server is denied by its command',
    { managed: { deniedMcpServers: [{ serverCommand: [launcher, 'mcp'] }] } },
    'deniedMcpServers off',
  ],
  ['it is not in the list', { managed: { allowedMcpServers: [{ serverName: 'github' }] } }, 'allowedMcpServers off'],
  ['the list is empty', { user: { allowedMcpServers: [] } }, 'allowedMcpServers off'],
  [
    'the list has its name, but commands count',
    { managed: { allowedMcpServers: [{ serverName: 'claude-net' }, { serverCommand: ['npx'] }] } },
    'allowedMcpServers off',
  ],
  [
    'only the managed list counts',
    {
      user: { allowedMcpServers: [{ serverName: 'claude-net' }] },
      managed: { allowManagedMcpServersOnly: true, allowedMcpServers: [{ serverName: 'github' }] },
    },
    'allowedMcpServers off',
  ],
  ['servers are prescribed', { mcp: { mcpServers: { github: {} } } }, 'mcpServers off'],
  [
    'only plugins bring servers',
    { managed: { strictPluginOnlyCustomization: ['mcp'] } },
    'strictPluginOnlyCustomization off',
  ],
  [
    'only managed rules count',
    { managed: { allowManagedPermissionRulesOnly: true } },
    'allowManagedPermissionRulesOnly less',
  ],
  ['messages of sessions are held', { managed: { crossSessionInbound: 'hold' } }, 'crossSessionInbound less'],
])('what undoes it is named: %s', (_, given, key) => {
  expect(found(given)).toEqual([key])
})

test('a project that switches the server off is reported', () => {
  const state = { projects: { '/srv/app': { disabledMcpServers: ['claude-net'] }, '/srv/b': {} } }
  expect(found({ state })).toEqual(['projects./srv/app.disabledMcpServers less'])
})

test.each<[string, Parameters<typeof found>[0]]>([
  [
    'a managed rule beside the managed-only rules',
    { managed: { allowManagedPermissionRulesOnly: true, permissions: { allow: ['mcp__claude-net'] } } },
  ],
  ['its name in the list', { managed: { allowedMcpServers: [{ serverName: 'claude-net' }] } }],
  ['its command in the list', { managed: { allowedMcpServers: [{ serverCommand: [launcher, 'mcp'] }] } }],
  [
    'the user adding it to the managed list',
    {
      managed: { allowedMcpServers: [{ serverName: 'x' }] },
      user: { allowedMcpServers: [{ serverName: 'claude-net' }] },
    },
  ],
  ['prescribed servers with ours among them', { mcp: { mcpServers: { 'claude-net': {} } } }],
  ['hooks that an administrator keeps on', { managed: { disableAllHooks: false }, user: { disableAllHooks: true } }],
  [
    'messages that are accepted by an administrator',
    { managed: { crossSessionInbound: 'accept' }, user: { crossSessionInbound: 'hold' } },
  ],
])('does not stand in the way: %s', (_, given) => {
  expect(found(given)).toEqual([])
})

test('with the plugin, the settings name the server and its rule differently', () => {
  const enabledPlugins = { 'claudenet@claude-net': true }
  const denied = {
    permissions: { deny: ['mcp__plugin_claudenet_net'] },
    deniedMcpServers: [{ serverName: 'claude-net' }],
  }
  expect(found({ user: { enabledPlugins, ...denied } })).toEqual(['permissions.deny off'])
  expect(found({ managed: { enabledPlugins: { 'claudenet@claude-net': false } } })).toContain('enabledPlugins off')
})
