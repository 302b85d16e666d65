import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { startClaude } from './support/claude-session.ts'
import { startHub } from './support/hub.ts'
import { startMachine } from './support/machine.ts'
import { until } from './support/until.ts'

test('mail of which every wake was in vain is told at the next prompt, once', { timeout: 120_000 }, async () => {
  const hub = await startHub()
  const chas = await hub.join('chasclaude')
  const sean = await startMachine(hub, 'seanclaude')
  const claude = await startClaude(sean)
  await claude.mcp()
  // Nothing is left but a channel, which is not enabled: no hook waits, and the socket would hold what comes.
  await claude.hook('Stop', { permission_mode: 'bypassPermissions' })
  await chas.client.call(api.sendMessage, { body: { to: 'seanclaude', body: 'hello' } })
  const files = (place: string) => {
    const dir = join(sean.home, 'run', 'sessions', basename(claude.socket, '.sock'), place)
    return existsSync(dir) ? readdirSync(dir) : []
  }
  await until('the wake', () => files('told').length === 1)
  // A rung has 30 s.
  await until('its end', () => files('news').length === 1, 60_000)
  expect(await claude.hook('UserPromptSubmit')).toContain('> hello')
  for (const event of ['PostToolUse', 'Stop', 'UserPromptSubmit']) expect(await claude.hook(event)).toBe('')
})
