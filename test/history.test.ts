import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import type { TestMember } from './support/hub.ts'
import { startMachine } from './support/machine.ts'
import { emptiedHub } from './support/shared-hub.ts'

const hubAlone = emptiedHub()

async function history({ client }: TestMember, query: Record<string, unknown> = {}): Promise<string[]> {
  const { messages } = await client.call(api.listMessages, { query })
  return messages.map(({ message }) => message.body)
}

function send({ client }: TestMember, to: string, body: string) {
  return client.call(api.sendMessage, { body: { to, body } })
}

test('history has sent and received messages, newest first, acked or not, and nothing of others', async () => {
  const hub = await hubAlone()
  const [alpha, beta, gamma] = [await hub.join('alpha'), await hub.join('beta'), await hub.join('gamma')]
  const first = await send(alpha, 'beta', 'one')
  await send(beta, 'alpha', 'two')
  await send(gamma, 'beta', 'three')
  await beta.client.call(api.ackInbox, { body: { ids: [first.id] } })
  expect(await history(alpha)).toEqual(['two', 'one'])
  expect(await history(beta)).toEqual(['three', 'two', 'one'])
  expect(await history(gamma)).toEqual(['three'])
  expect(await history(beta, { with: 'gamma' })).toEqual(['three'])
  expect(await history(beta, { with: 'alpha' })).toEqual(['two', 'one'])
})

test("a message to all is in its sender's history once, with a receipt per recipient; a recipient sees only its own receipt", async () => {
  const hub = await hubAlone()
  const [alpha, beta] = [await hub.join('alpha'), await hub.join('beta')]
  await hub.join('gamma')
  await send(alpha, 'all', 'hello')
  const receipts = async ({ client }: TestMember) =>
    (await client.call(api.listMessages)).messages.map(entry => entry.receipts.map(({ name }) => name))
  expect(await receipts(alpha)).toEqual([['beta', 'gamma']])
  expect(await receipts(beta)).toEqual([['beta']])
})

test('pages of history join without gap or repetition', async () => {
  const hub = await hubAlone()
  const [alpha, beta] = [await hub.join('alpha'), await hub.join('beta')]
  const bodies = Array.from({ length: 25 }, (_, n) => `message ${n}`)
  for (const [n, body] of bodies.entries()) await (n % 3 === 0 ? send(beta, 'alpha', body) : send(alpha, 'beta', body))
  const seen: string[] = []
  for (let before: number | undefined; ; ) {
    const { messages } = await alpha.client.call(api.listMessages, { query: { limit: 7, before } })
    seen.push(...messages.map(({ message }) => message.body))
    before = messages.at(-1)?.message.seq
    if (messages.length < 7) break
  }
  expect(seen).toEqual(bodies.toReversed())
})

test('search finds words and prefixes in any script, including messages sent a moment ago', async () => {
  const hub = await hubAlone()
  const [alpha, beta] = [await hub.join('alpha'), await hub.join('beta')]
  await send(alpha, 'beta', 'The Migration is done, see test/outbox.test.ts')
  await send(alpha, 'beta', 'Schöne Grüße aus Köln')
  expect(await history(beta, { q: 'migrat done' })).toHaveLength(1)
  expect(await history(alpha, { q: 'MIGRATION' })).toHaveLength(1)
  expect(await history(alpha, { q: 'outbox.test.ts' })).toHaveLength(1)
  expect(await history(alpha, { q: 'grüße köln' })).toHaveLength(1)
  expect(await history(alpha, { q: 'migration köln' })).toHaveLength(0)
})

test('search finds words in text without spaces, and in identifiers', async () => {
  const hub = await hubAlone()
  const [alpha, beta] = [await hub.join('alpha'), await hub.join('beta')]
  await send(alpha, 'beta', '数据库迁移已经完成')
  await send(alpha, 'beta', 'ฐานข้อมูลเสร็จแล้ว')
  await send(alpha, 'beta', 'getUserName failed')
  for (const [q, found] of [
    ['迁移', '数据库迁移已经完成'],
    ['库', '数据库迁移已经完成'],
    ['ข้อมูล', 'ฐานข้อมูลเสร็จแล้ว'],
    ['UserN', 'getUserName failed'],
  ] as const) {
    expect(await history(beta, { q })).toEqual([found])
  }
})

test('the longest allowed search looks up a bounded number of words; a longer one is refused with advice', async () => {
  const hub = await hubAlone()
  const [alpha] = [await hub.join('alpha'), await hub.join('beta')]
  await send(alpha, 'beta', 'b')
  expect(await history(alpha, { q: Array(100).fill('b').join(' ') })).toEqual(['b'])
  const words = Array.from({ length: 50 }, (_, index) => `w${index + 10}`).join(' ')
  await expect(history(alpha, { q: words })).rejects.toMatchObject({ code: 'invalid', hint: expect.any(String) })
})

test('history and search include a message as soon as it was acknowledged, under any write load', async () => {
  const hub = await hubAlone()
  const [alpha, beta] = [await hub.join('alpha'), await hub.join('beta')]
  let isDone = false
  // Under this load the hub postpones its indexes.
  const others = Array.from({ length: 16 }, async () => {
    while (!isDone) await send(beta, 'beta', 'noise').catch(() => {})
  })
  for (let n = 0; n < 20; n++) {
    await send(alpha, 'beta', `needle${n}`)
    expect(await history(alpha, { q: `needle${n}` })).toEqual([`needle${n}`])
    expect((await history(alpha, { limit: 1 }))[0]).toBe(`needle${n}`)
  }
  isDone = true
  await Promise.all(others)
})

test('an index that was lost or damaged is rebuilt, and results are complete meanwhile', async () => {
  const hub = await hubAlone()
  const [alpha] = [await hub.join('alpha'), await hub.join('beta')]
  await send(alpha, 'beta', 'kept walrus')
  expect(await history(alpha, { q: 'walrus' })).toEqual(['kept walrus'])
  await hub.stop()
  writeFileSync(join(hub.dataDir, 'search.db'), 'no database')
  await hub.start()
  expect(await history(alpha, { q: 'walrus' })).toEqual(['kept walrus'])
})

test('search is not a query language: operators, quotes and wildcards are words or ignored', async () => {
  const hub = await hubAlone()
  const [alpha] = [await hub.join('alpha'), await hub.join('beta')]
  await send(alpha, 'beta', 'plain words')
  for (const q of [
    '"',
    '*',
    'body:plain',
    'NEAR(',
    'plain OR nothing',
    "'; drop table message; --",
    '^plain',
    '-words',
    '%',
    '日本',
  ]) {
    expect(Array.isArray(await history(alpha, { q }))).toBe(true)
  }
  expect(await history(alpha, { q: 'plain OR nothing' })).toEqual([])
})

test('a search does not find messages of others', async () => {
  const hub = await hubAlone()
  const [alpha, , gamma] = [await hub.join('alpha'), await hub.join('beta'), await hub.join('gamma')]
  await send(alpha, 'beta', 'canary')
  expect(await history(gamma, { q: 'canary' })).toEqual([])
  expect(await history(gamma, { q: 'canary', with: 'alpha' })).toEqual([])
})

test('history survives a kill of the hub', async () => {
  const hub = await hubAlone()
  const [alpha, beta] = [await hub.join('alpha'), await hub.join('beta')]
  await send(alpha, 'beta', 'before the crash')
  await hub.crashAndRestart()
  expect(await history(beta, { q: 'crash' })).toEqual(['before the crash'])
})

test('an unknown name is refused with the nearest ones', async () => {
  const hub = await hubAlone()
  const alpha = await hub.join('alpha')
  await expect(history(alpha, { with: 'alpah' })).rejects.toMatchObject({
    code: 'not_found',
    hint: expect.stringContaining('alpha'),
  })
})

test('the command shows each message with its receipts', async () => {
  const hub = await hubAlone()
  const machine = await startMachine(hub, 'alpha')
  await hub.join('beta')
  expect(await machine.run(['send', 'beta', 'hello', 'there'])).toMatchObject({ code: 0 })
  const shown = await machine.run(['history', 'hello'])
  expect(shown.stdout).toMatch(
    /alpha → beta · just now · request\n> hello there\n {2}beta: stored, not notified yet; no session yet\n/,
  )
  expect((await machine.run(['history', 'nothing like it'])).stdout).toBe('Nothing found.\n')
  expect(JSON.parse((await machine.run(['history', '--json'])).stdout).messages).toHaveLength(1)
})
