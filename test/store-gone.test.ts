import { appendFileSync, copyFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { startHub } from './support/hub.ts'
import { hubNode, run } from './support/program.ts'
import { raw } from './support/raw.ts'
import { until } from './support/until.ts'

vi.setConfig({ testTimeout: 180_000 })

/** Starts a hub with some messages for ben, and records which sends were confirmed. */
async function start() {
  const hub = await startHub({ config: { backup: null } })
  const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
  const confirmed: string[] = []
  const send = async (body: string) => {
    await ana.client.call(api.sendMessage, { body: { id: newMessageId(), to: 'ben', body } })
    confirmed.push(body)
  }
  for (let n = 0; n < 5; n++) await send(`before ${n}`)
  const inbox = async () => (await ben.client.call(api.readInbox)).messages.map(({ body }) => body)
  return { hub, confirmed, send, inbox, file: (name: string) => join(hub.dataDir, name) }
}

type Started = Awaited<ReturnType<typeof start>>

/** Each kind of damage to the files of a running hub, and what remains of its messages. */
const damages: [string, (started: Started) => void, says: RegExp, left: 'rescued' | 'all' | 'unknown'][] = [
  ['hub.db is removed', ({ file }) => rmSync(file('hub.db')), /hub\.db was removed/, 'rescued'],
  [
    'another file takes the place of hub.db',
    ({ file }) => {
      copyFileSync(file('hub.db'), file('other'))
      renameSync(file('other'), file('hub.db'))
    },
    /hub\.db was replaced/,
    'rescued',
  ],
  ['its log is removed', ({ file }) => rmSync(file('hub.db-wal')), /hub\.db-wal was removed/, 'all'],
  [
    'the directory is moved away',
    ({ hub }) => renameSync(hub.dataDir, `${hub.dataDir}.moved`),
    /hub\.db was removed/,
    'unknown',
  ],
  [
    'another program writes to hub.db',
    ({ file }) => appendFileSync(file('hub.db'), Buffer.alloc(4096)),
    /hub\.db was changed by another program/,
    'unknown',
  ],
]

test.each(damages)(
  'if %s, no more is confirmed, /readyz fails, and the hub exits with an explanation',
  async (_, deed, says, left) => {
    const started = await start()
    const { hub, confirmed, send, inbox, file } = started
    deed(started)
    await expect(send('after')).rejects.toMatchObject({ code: 'unavailable', message: expect.stringMatching(says) })
    expect((await raw(hub, { path: '/readyz' })).status).toBe(503)
    expect(await hub.ended()).toBe(70)
    expect(hub.log).toMatch(says)
    expect(hub.log).toContain('the store failed; the hub stops')
    if (left === 'all') await hub.start()
    if (left === 'rescued') {
      const name = readdirSync(hub.dataDir).find(each => /^rescued-.*\.db$/.test(each))!
      expect(statSync(file(name)).mode & 0o777).toBe(0o600)
      expect(hub.log).toContain(file(name))
      const restored = await run(['restore', file(name), '--data', hub.dataDir], { node: hubNode })
      expect(restored.stderr).toBe('')
      await hub.start()
    }
    if (left !== 'unknown') expect(await inbox()).toEqual(confirmed)
  },
)

test('an idle hub detects that its store was deleted, and does not start again without it', async () => {
  const { hub, file } = await start()
  rmSync(file('hub.db'))
  await until('it has ended', () => hub.log.includes('the hub stops'))
  expect(await hub.ended()).toBe(70)
  const rescued = readdirSync(hub.dataDir).find(name => /^rescued-.*\.db$/.test(name))!
  await expect(hub.start()).rejects.toThrow(new RegExp(`hub\\.db is missing or empty[\\s\\S]*restore \\S*${rescued}`))
})
