import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import type { StreamEvent } from '../src/protocol/events.ts'
import { sharedHub } from './support/shared-hub.ts'
import { until } from './support/until.ts'

const hub = sharedHub()

test('with=delivery adds the message to its event, as the inbox has it, from ready on', async () => {
  const [ada, ben] = await Promise.all(['ada', 'ben'].map(name => hub.join(name)))
  const send = async (body: string) => (await ada!.client.call(api.sendMessage, { body: { to: 'ben', body } })).id
  await send('what waited')
  const stop = new AbortController()
  const told: { with: StreamEvent[]; without: StreamEvent[] } = { with: [], without: [] }
  let ready = 0
  const following = (['with', 'without'] as const).map(async kind => {
    const options = { withDelivery: kind === 'with', signal: stop.signal, ready: () => ready++ }
    for await (const event of ben!.client.events(options)) told[kind].push(event)
  })
  await until('both are at the end', () => ready === 2)
  await ben!.client.call(api.putPolicy, { body: { inbound: 'hold' } })
  await send('held for the user')
  await ben!.client.call(api.putPolicy, { body: { inbound: 'accept' } })
  await send('é'.repeat(3000))
  await until('all events', () => told.with.length === 3 && told.without.length === 3)

  const { messages } = await ben!.client.call(api.readInbox, { query: { preview: 1000 } })
  const deliveries = told.with.map(({ data }) => (data as { delivery?: object }).delivery)
  expect(deliveries).toEqual([undefined, messages[1], messages[2]])
  expect(messages[1]).toMatchObject({ held: true, body: 'held for the user' })
  expect(messages[2]!.body).toBe('é'.repeat(1000))
  expect(told.without.map(({ data }) => Object.keys(data))).toEqual(
    Array.from({ length: 3 }, () => ['seq', 'id', 'from', 'intent', 'unread']),
  )
  stop.abort()
  await Promise.all(following)
})
