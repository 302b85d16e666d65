import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { type ClaudeSession, startClaude } from './support/claude-session.ts'
import { startHub } from './support/hub.ts'
import { startMachine } from './support/machine.ts'
import { until } from './support/until.ts'

test('a message whose wakes all failed is announced at the next prompt, once', { timeout: 120_000 }, async () => {
  const hub = await startHub()
  const chas = await hub.join('chasclaude')
  const sean = await startMachine(hub, 'seanclaude')
  const claude = await startClaude(sean)
  await claude.mcp()
  // The only rung left is a channel, which is not enabled: no hook waits, and the socket would hold messages back.
  await claude.hook('Stop', { permission_mode: 'bypassPermissions' })
  await chas.client.call(api.sendMessage, { body: { to: 'seanclaude', body: 'hello' } })
  const files = (place: string) => {
    const dir = join(dirOf(claude), place)
    return existsSync(dir) ? readdirSync(dir) : []
  }
  await until('the wake', () => files('told').length === 1)
  // A rung without effect ends after 2.5 s.
  await until('its end', () => files('news').length === 1, 90_000)
  expect(await claude.hook('UserPromptSubmit')).toContain('> hello')
  for (const event of ['PostToolUse', 'Stop', 'UserPromptSubmit']) expect(await claude.hook(event)).toBe('')
})

test('a session that reacts but does not fetch keeps its turn for its next rung: no second session is woken meanwhile', {
  timeout: 120_000,
}, async () => {
  const hub = await startHub()
  const chas = await hub.join('chasclaude')
  const sean = await startMachine(hub, 'seanclaude')
  const idleSession = async () => {
    const claude = await startClaude(sean)
    const mcp = await claude.mcp()
    await claude.hook('UserPromptSubmit')
    await claude.hook('Stop')
    return { claude, mcp }
  }
  const other = await idleSession()
  const { claude, mcp } = await idleSession()
  await until('both', async () => /2 sessions/.test((await mcp.call('machines')).text))
  const waiter = claude.waiter()
  await until('the waiter', () => existsSync(join(dirOf(claude), 'waiter.json')))
  await chas.client.call(api.sendMessage, { body: { to: 'seanclaude', body: 'hello' } })
  await until('the wake', () => claude.wakes.length === 1)
  await claude.hook('UserPromptSubmit')
  await claude.hook('Stop')
  expect(await waiter.ended).toMatchObject({ code: 2, stderr: expect.stringContaining('> hello') })
  await mcp.call('inbox', { ack: true })
  await mcp.call('machines')
  expect([claude.wakes.length, other.claude.wakes]).toEqual([1, []])
})

function dirOf({ machine, socket }: ClaudeSession): string {
  return join(machine.home, 'run', 'sessions', basename(socket, '.sock'))
}
