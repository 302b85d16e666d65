import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { raw } from './support/raw.ts'
import { startTelegramHub } from './support/telegram-hub.ts'
import { tempDir } from './support/temp.ts'

const rules = readFileSync('deploy/prometheus-alerts.yml', 'utf8')
const docs = readFileSync('docs/operations.md', 'utf8')

test('every alert uses metrics and labels that a hub has', async () => {
  const { hub } = await startTelegramHub({}, { backup: { logTo: join(tempDir('tails'), 'log') } })
  const alpha = await hub.join('alpha')
  await raw(hub, { path: '/v1/messages', token: alpha.token, body: { to: 'nobody', body: 'x' } })
  await hub.client(hub.adminToken).call(api.makeBackup)
  const { text } = await raw(hub, { path: '/metrics', token: alpha.token })
  const series = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  const used = [...rules.matchAll(/(claude_net_\w+)(?:\{(\w+)(?:=|!~|=~)")?/g)]
  expect(used.length).toBeGreaterThan(10)
  for (const [, name, label] of used) {
    const ofName = series.filter(line => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    expect(ofName, name).not.toEqual([])
    if (label)
      expect(
        ofName.some(line => line.includes(`${label}="`)),
        `${name}{${label}}`,
      ).toBe(true)
  }
})

test('every alert has a unique name, an expression, a severity and instructions, and is in the docs', () => {
  const alerts = rules.split(/^ {6}- alert: /m).slice(1)
  const names = alerts.map(text => text.split('\n', 1)[0]!)
  expect(new Set(names).size).toBe(names.length)
  for (const alert of alerts) {
    expect(alert).toMatch(/^ClaudeNet[A-Za-z]+\n {8}expr: /)
    expect(alert).toMatch(
      /\n {8}labels: \{ severity: (critical|warning) \}\n {8}annotations:\n {10}summary: .+\n {10}description: .+/,
    )
  }
  for (const name of names) expect(docs).toContain(`\`${name}\``)
})
