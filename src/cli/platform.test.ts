import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { tempDir } from '../../test/support/temp.ts'
import { runningSessions } from '../claude/sessions.ts'
import { findClaude } from '../claude/settings.ts'
import { labelOn } from '../client/host.ts'
import { type Platform, thisPlatform } from '../disk/platform.ts'
import { placeOn } from '../notice/process-place.ts'
import { runCommandLine } from './command-line.ts'
import { withoutSystemd } from './installing.ts'
import { lastingNode } from './launcher.ts'
import { hubService } from './service.ts'

/** Runs the command line as on Windows, and returns its exit status and what it printed. */
async function onWindows(...args: string[]) {
  const { argv, exitCode } = process
  const printed = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const stdout = vi.spyOn(process.stdout, 'write')
  onTestFinished(() => {
    Object.assign(process, { argv, exitCode })
    vi.restoreAllMocks()
  })
  process.argv = ['node', 'claude-net', ...args]
  await runCommandLine('win32')
  const { exitCode: code } = process
  const stderr = printed.mock.calls.map(([text]) => text).join('')
  printed.mockClear()
  expect(stdout).not.toHaveBeenCalled()
  return { code, stderr }
}

test('every command says on Windows what to use instead, before anything else', async () => {
  for (const args of [[], ['hub'], ['join', 'no url'], ['mcp'], ['hook'], ['no-such-command'], ['--help']])
    expect({ args, ...(await onWindows(...args)) }).toEqual({
      args,
      code: 1,
      stderr: expect.stringMatching(/^claude-net: Claude Net does not run on Windows itself: run this inside WSL, /),
    })
  expect(JSON.parse((await onWindows('inbox', '--json')).stderr)).toMatchObject({ error: { code: 'invalid' } })
})

test('the launcher keeps the Node of Homebrew by the link that outlives an upgrade', () => {
  const prefix = tempDir('brew')
  const node = join(prefix, 'Cellar/node@22/22.21.1/bin/node')
  expect([lastingNode(node), lastingNode('/usr/bin/node')]).toEqual([node, '/usr/bin/node'])
  const link = join(prefix, 'opt/node@22/bin/node')
  mkdirSync(dirname(link), { recursive: true })
  writeFileSync(link, '')
  expect(lastingNode(node)).toBe(link)
})

const mac = (hostname: string, programs: Record<string, string>): Platform => ({
  name: 'darwin',
  hostname: () => hostname,
  read: () => '',
  link: () => '',
  run: program => programs[program] ?? '',
})

test('a Mac is one host and one place by any name that its network gives it', () => {
  const [at, programs] = [labelOn, { ioreg: '"IOPlatformUUID" = "F00D"', sysctl: 'boot' }]
  const [home, office] = ['mac.local', 'mac.office'].map(name => mac(name, programs)) as [Platform, Platform]
  const idOf = (label: string) => label.split(' ')[0]
  expect(at(home)).toMatch(/^[0-9a-f]{16} mac\.local$/)
  expect(idOf(at(office))).toBe(idOf(at(home)))
  expect(placeOn(office)).toBe(placeOn(home))
  expect(idOf(at(mac('mac.local', { ioreg: '"IOPlatformUUID" = "BEEF"' })))).not.toBe(idOf(at(home)))
})

test('running sessions are found by ps where there is no /proc', () => {
  const ps =
    '  70 claude --resume\n  71 /opt/homebrew/bin/node /opt/homebrew/bin/claude\n  72 node server.js\n 9 vi claude'
  expect(runningSessions(mac('mac', { ps })).map(({ pid }) => pid)).toEqual([70, 71])
  expect(runningSessions(mac('mac', {}))).toEqual([])
})

test('in WSL a Claude Code of Windows on the PATH is not the one of this machine', () => {
  const home = tempDir('home')
  const env = { CLAUDE_CONFIG_DIR: join(home, 'none'), PATH: '/usr/bin:/mnt/c/Users/ana/AppData/Roaming/npm' }
  const wsl: Platform = { ...thisPlatform, name: 'linux', read: () => '6.6.87.2-microsoft-standard-WSL2' }
  expect(findClaude(env, wsl)).toBe(undefined)
  const own = join(home, 'bin')
  mkdirSync(own)
  writeFileSync(join(own, 'claude'), '')
  expect(findClaude({ ...env, PATH: `${env.PATH}:${own}` }, wsl)).toMatchObject({
    settings: join(home, 'none', 'settings.json'),
  })
})

test('without systemd the service says how to get it in WSL, and what macOS has instead', () => {
  const on = (name: NodeJS.Platform, release = '') =>
    withoutSystemd(hubService, { ...mac('host', {}), name, read: () => release })
  expect(on('linux', '6.6.87.2-microsoft-standard-WSL2').hint).toMatch(/systemd=true into \/etc\/wsl\.conf/)
  expect(on('darwin').hint).toMatch(/docs\/operations\.md.* launchd .*\/Library\/LaunchDaemons\/claude-net\.hub\.plist/)
  expect(on('linux', '6.12.0-amd64')).toMatchObject({ message: 'systemd does not run here.', code: 'invalid' })
})
