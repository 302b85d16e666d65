import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { liveSessions } from '../../src/notice/live-sessions.ts'
import { api } from '../../src/protocol/api.ts'
import { ClaudeUser, findClaudeCode, type Step } from '../support/claude-code.ts'
import { startHub } from '../support/hub.ts'
import { startMachine } from '../support/machine.ts'
import { findTool } from '../support/newcomer.ts'
import { until } from '../support/until.ts'

const inbox: Step = { tool: 'mcp__claude-net__claude_net_inbox' }

/** Creates a machine whose user has the real Claude Code and two repositories, one of them with a linked worktree. */
async function userWithProjects({ skip }: TestContext) {
  const claude = findClaudeCode()
  if (!claude) return skip('Claude Code is not installed here: set CLAUDE_BIN, or put claude on the PATH')
  if (!findTool('script')) return skip('a terminal needs script of util-linux, which is not installed here')
  const hub = await startHub()
  const chas = await hub.join('chasclaude')
  const sean = await startMachine(hub, 'seanclaude')
  mkdirSync(join(sean.userHome, '.claude'))
  const args = ['join', hub.url.origin, '--machine', 'seanclaude', '--yes', '--bin', join(sean.userHome, 'bin')]
  expect(await sean.run(args)).toMatchObject({ code: 0 })
  const git = (dir: string, ...args: string[]) => {
    const env = { PATH: process.env.PATH, HOME: sean.userHome }
    execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@example.com', ...args], { cwd: dir, env })
  }
  const [shop, billing, deep] = ['shop', 'billing', 'shop/src/deep'].map(name => join(sean.userHome, name))
  for (const dir of [shop!, billing!]) {
    mkdirSync(dir)
    git(dir, 'init', '-q')
    git(dir, 'commit', '-q', '--allow-empty', '-m', 'first')
  }
  mkdirSync(deep!, { recursive: true })
  const worktree = join(sean.userHome, 'try')
  git(shop!, 'worktree', 'add', '-q', worktree)
  const send = async (to: string, body: string) =>
    (await chas.client.call(api.sendMessage, { body: { to: `seanclaude/${to}`, body } })).id

  /** Starts a session in `dir`, and waits until its first turn has ended. */
  const start = async (dir: string, more = '') => {
    const user = new ClaudeUser(sean.userHome, claude, dir)
    await user.prepare()
    const known = new Set(liveSessions(sean.home).map(({ session }) => session))
    const session = () => liveSessions(sean.home).find(({ deaf, session }) => !deaf && !known.has(session))
    const state = () => session()?.dir.read<{ busy: boolean; mode?: string }>('state.json')
    const terminal = await user.interactive(() => existsSync(session()?.dir.file('state.json') ?? ''), more)
    await terminal.type('go')
    const isIdle = () => until('an idle session', () => state()?.mode !== undefined && state()!.busy === false)
    await isIdle()
    return { user, terminal, isIdle, model: user.model }
  }
  return { shop: shop!, billing: billing!, deep: deep!, worktree, send, start }
}

test('sessions of two projects on one machine each get their own messages: in subdirectories, worktrees and subagents, after /clear and resume', async context => {
  const { billing, deep, worktree, send, start } = await userWithProjects(context)
  const a = await start(deep)
  const b = await start(billing)
  for (const { model } of [a, b]) model.steps.push(inbox, { text: 'read it' })
  await Promise.all([send('shop', 'SHOP-CANARY'), send('billing', 'BILLING-CANARY')])
  const has = ({ model }: typeof a, text: string) => model.asked.some(asked => asked.includes(text))
  await until('the wakes', () => has(a, '1 unread message from chasclaude.') && has(b, 'BILLING-CANARY'), 120_000)
  await until('what the inbox of each shows', () => has(a, 'for shop') && has(b, 'for billing'), 120_000)
  await Promise.all([a.isIdle(), b.isIdle()])
  expect([has(a, 'Other projects of this machine: 1 for billing.'), has(b, '1 for shop.')]).toEqual([true, true])

  // A subagent calls the tools of its session.
  const next = async (): Promise<Step> => {
    const asked = a.model.asked.at(-1)!
    const isSubagent = asked.includes('SUBAGENT-TASK') && !asked.includes('MAIN-PROMPT')
    if (isSubagent) return asked.includes('tool_result') ? { text: 'it has been read' } : inbox
    const input = { description: 'read it', prompt: 'SUBAGENT-TASK', subagent_type: 'general-purpose' }
    return asked.includes('SUBAGENT-TASK') ? { text: 'done' } : { tool: 'Agent', input }
  }
  a.model.steps.push(...Array.from({ length: 5 }, () => next))
  await a.terminal.type('MAIN-PROMPT')
  const ofSubagent = () => a.model.asked.filter(text => text.includes('SUBAGENT-TASK') && !text.includes('MAIN-PROMPT'))
  await until('the answer in the subagent', () => ofSubagent().some(text => text.includes('> SHOP-CANARY')), 120_000)
  await until('the end of the subagent', () => a.model.asked.some(text => text.includes('it has been read')), 120_000)
  await a.isIdle()
  a.model.steps.length = 0

  await a.terminal.command('/clear')
  await until('the clear', async () => {
    const before = a.model.asked.length
    await a.terminal.type('after the clear')
    return !a.model.asked.slice(before).some(text => text.includes('MAIN-PROMPT'))
  })
  await a.isIdle()
  expect(a.model.asked.at(-1)).toContain('1 unread message.')
  expect(a.model.asked.at(-1)).toContain('> SHOP-CANARY')

  await a.terminal.close()
  const resumed = await start(deep, '--continue')
  expect(resumed.model.asked.at(-1)).toContain('after the clear')
  expect(resumed.model.asked.at(-1)).toContain('> SHOP-CANARY')
  await resumed.terminal.close()

  const c = await start(worktree)
  await until('the unread messages', async () => {
    if (has(c, '> SHOP-CANARY')) return true
    await c.terminal.type('again')
    return false
  })
  await c.isIdle()
  c.model.steps.push(inbox, { text: 'read it' })
  await send('shop', 'SHOP-SECOND')
  await until('the wake in the worktree', () => has(c, 'SHOP-SECOND'), 120_000)
  for (const one of [a, resumed, c]) expect(has(one, 'BILLING-CANARY')).toBe(false)
  for (const text of ['SHOP-CANARY', 'SHOP-SECOND']) expect(has(b, text)).toBe(false)
}, 300_000)
