import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { startHub } from './support/hub.ts'
import { raw } from './support/raw.ts'
import { until } from './support/until.ts'

test('SIGHUP reads hub.json again: settings that can change do, the rest is named, and an invalid file changes nothing', async () => {
  const hub = await startHub()
  const ana = await hub.join('ana')
  const ask = async () =>
    (await raw(hub, { path: '/v1/machines', token: ana.token, headers: { host: 'hub.lan' } })).status
  const reload = async (settings: object, told: RegExp) => {
    const { length } = hub.log
    writeFileSync(`${hub.dataDir}.hub.json`, JSON.stringify({ host: '127.0.0.1', limits: null, ...settings }))
    process.kill(hub.pid, 'SIGHUP')
    await until('it was read', () => told.test(hub.log.slice(length)))
  }
  const good = /"msg":"hub\.json was read again"/
  expect(await ask()).toBe(403)
  await reload({ hosts: ['hub.lan'] }, good)
  expect(await ask()).toBe(200)
  const limits = { reads: { perMinute: 1, burst: 1 } }
  await reload({ hosts: ['hub.lan'], limits }, good)
  expect([await ask(), await ask()]).toEqual([200, 429])
  await reload({ hosts: 3 }, /hub\.json is invalid; the hub continues with its previous settings/)
  expect(await ask()).toBe(429)
  await reload({ hosts: [], limits, backup: null }, /"fields":\["backup"\].*need a restart/)
  expect(await ask()).toBe(403)
})
