import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { printedSeed, seededRandom } from './support/random.ts'
import { chas, group, sean, startTelegramHub, tell } from './support/telegram-hub.ts'
import { until } from './support/until.ts'

/**
 * Number of kills of the hub. For a long run: CLAUDE_NET_CRASH_ROUNDS=200 npx vitest run test/telegram-crash.test.ts
 * CLAUDE_NET_SEED repeats the choices of an earlier run.
 */
const rounds = Number(process.env.CLAUDE_NET_CRASH_ROUNDS ?? 20)

/** Calls of Telegram at which the hub is killed: when the call arrives, or slightly later. */
const moments = ['getUpdates', 'sendMessage', 'setMessageReaction', undefined] as const

test('T09 a hub killed around getUpdates, commit and ack neither loses nor duplicates messages in either direction', {
  timeout: Math.max(180_000, rounds * 10_000),
}, async () => {
  const random = seededRandom(printedSeed())
  const { hub, telegram } = await startTelegramHub({ timing: { windowMs: 100, pollS: 1, requestMs: 1_000 } })
  const ovh5 = await hub.join('ovh5')
  const written: string[] = []
  const told: number[] = []
  for (let round = 0; round < rounds; round++) {
    const moment = moments[round % moments.length]
    for (let n = 0; n < 3; n++) {
      const [who, text] = [random() < 0.5 ? sean : chas, `in ${round}.${n}`]
      written.push(text)
      telegram.write(random() < 0.5 ? group : who.id, who, `/send ovh5 ${text}`)
    }
    told.push(await tell(ovh5, 'sean', `out ${round}`))
    const calls = telegram.calls.length
    if (moment)
      await until(`a call of ${moment}`, () => telegram.calls.slice(calls).includes(moment), 2_000).catch(() => {})
    await delay(random() * 25)
    await hub.crashAndRestart()
  }
  await until(
    'all of it is there',
    async () => {
      const { people } = await hub.client(hub.adminToken).call(api.telegramStatus)
      const { unread } = await ovh5.client.call(api.readInbox)
      return unread >= written.length && people.every(({ waiting }) => waiting === 0)
    },
    90_000,
  )
  await until('all updates are confirmed', () => telegram.pending === 0)

  const bodies: string[] = []
  for (let after: string | undefined; ; ) {
    const page = await ovh5.client.call(api.readInbox, { query: { after } })
    bodies.push(...page.messages.map(({ body }) => body))
    after = page.cursor
    if (page.more === 0) break
  }
  expect(bodies.toSorted()).toEqual(written.toSorted())

  // Messages are posted to people in order; one is repeated only right after a kill, under the same number. A post may contain several
  // messages that had to wait.
  const posts = telegram
    .said(group)
    .map(({ text }) => [...text.matchAll(/→ sean #(\d+)/g)].map(([, seq]) => Number(seq)))
  const known = new Set<number>()
  let again = 0
  for (const numbers of posts) {
    if (numbers.some(seq => known.has(seq))) again++
    for (const seq of numbers) known.add(seq)
  }
  expect([...known]).toEqual(told)
  console.log(`${rounds} kills: ${written.length} written, ${told.length} told, ${again} posts told something again`)
  expect(again).toBeLessThanOrEqual(rounds)
})
