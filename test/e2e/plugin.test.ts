import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, type TestContext, test } from 'vitest'
import { api } from '../../src/protocol/api.ts'
import { ClaudeUser, findClaudeCode } from '../support/claude-code.ts'
import { startHub } from '../support/hub.ts'
import { startMachine } from '../support/machine.ts'
import { tempDir } from '../support/temp.ts'

/** Time limit for a few starts of Claude Code on a busy machine, in ms. */
const timeout = 180_000

const repository = resolve(import.meta.dirname, '../..')

/** Creates a machine whose user has the real Claude Code, and functions for what that user may do. */
async function userWithClaude({ skip }: TestContext) {
  const claude = findClaudeCode()
  if (!claude) return skip('Claude Code is not installed here: set CLAUDE_BIN, or put claude on the PATH')
  const hub = await startHub()
  const chas = await hub.join('chasclaude')
  const sean = await startMachine(hub, 'seanclaude')
  mkdirSync(join(sean.userHome, '.claude'))
  const env = { PATH: process.env.PATH, HOME: sean.userHome, DISABLE_AUTOUPDATER: '1' }
  const run = (...args: string[]) => execFileSync(claude, args, { env, encoding: 'utf8', stdio: 'pipe' })
  const setUp = (...more: string[]) =>
    sean.run(['join', hub.url.origin, '--machine', 'seanclaude', '--bin', join(sean.userHome, 'bin'), ...more])
  return {
    chas,
    sean,
    claude: run,
    setUp,
    installPlugin: () => {
      run('plugin', 'marketplace', 'add', repository)
      run('plugin', 'install', 'claudenet@claude-net')
    },
    /** Runs `line` in a shell in which `claude` is this Claude Code. */
    shell: (line: string) =>
      spawnSync('sh', ['-c', `claude() { '${claude}' "$@"; }; ${line}`], { env, encoding: 'utf8' }),
    /** Makes `claude -p` call one tool, without a user to ask for permission. */
    call: async (tool: string, input: Record<string, unknown>) => {
      const user = new ClaudeUser(sean.userHome, claude)
      await user.prepare()
      user.model.steps.push(
        async () => {
          await delay(3000) // Servers connect during the first turn.
          return { tool, input }
        },
        { text: 'the end' },
      )
      expect(await user.print('go')).toEqual({ code: 0, stdout: 'the end\n' })
      return user.model.asked.at(-1)!
    },
  }
}

test('Claude Code finds nothing to say against plugin and marketplace', { timeout }, ({ skip }) => {
  const claude = findClaudeCode()
  if (!claude) return skip('Claude Code is not installed here: set CLAUDE_BIN, or put claude on the PATH')
  for (const path of [repository, join(repository, 'plugin')]) {
    const { status, stdout, stderr } = spawnSync(claude, ['plugin', 'validate', '--strict', path], {
      env: { PATH: process.env.PATH, HOME: tempDir('claude') },
      encoding: 'utf8',
    })
    expect([status, stdout + stderr]).toEqual([0, expect.stringContaining('Validation passed')])
  }
})

test.for(['before join', 'after join'] as const)(
  'the plugin installed %s is the only server, and its tools are called without confirmation',
  { timeout },
  async (order, context) => {
    const { chas, sean, claude, setUp, installPlugin, call } = await userWithClaude(context)
    if (order === 'before join') installPlugin()
    expect(await setUp('--yes')).toMatchObject({ code: 0 })
    if (order === 'after join') {
      installPlugin()
      expect((await sean.run(['doctor'])).stdout).toContain('registered twice: the plugin claudenet has its own')
      expect(await setUp('--yes')).toMatchObject({ code: 0 })
    }
    expect((await sean.run(['doctor'])).stdout).toMatch(/^ok +claude +the plugin claudenet is enabled/m)
    expect(claude('mcp', 'list').match(/^\S*(?:claude-net|claudenet)\S*: .*Connected$/gm)).toEqual([
      expect.stringMatching(/^plugin:claudenet:net: /),
    ])
    const seen = await call('mcp__plugin_claudenet_net__claude_net_send', {
      to: 'chasclaude',
      message: 'by the plugin',
    })
    expect(seen).toContain('Stored for chasclaude')
    expect((await chas.client.call(api.readInbox)).messages).toMatchObject([
      { from: 'seanclaude', body: 'by the plugin' },
    ])
  },
)

test.for(['byFile', 'byVariable'] as const)(
  'Claude Code connects to the hub directly after the command that join --http prints: %s',
  { timeout },
  async (how, context) => {
    const { chas, sean, setUp, shell, call, claude } = await userWithClaude(context)
    const { http } = JSON.parse((await setUp('--http', '--json')).stdout) as { http: Record<string, string> }
    expect(shell(http[how]!)).toMatchObject({ status: 0 })
    if (how === 'byVariable') {
      const listed = shell(`${http.variable}; claude mcp list`)
      return expect(listed.stdout).toMatch(/^claude-net: .*\/mcp \(HTTP\) - .*Connected$/m)
    }
    expect(await sean.run(['allow', '--yes'])).toMatchObject({ code: 0 })
    expect(claude('mcp', 'list')).toMatch(/^claude-net: .*\/mcp \(HTTP\) - .*Connected$/m)
    await chas.client.call(api.sendMessage, { body: { to: 'seanclaude', body: 'over HTTP' } })
    expect(await call('mcp__claude-net__claude_net_inbox', { ack: true })).toContain('> over HTTP')
  },
)
