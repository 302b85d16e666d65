import { expect, test, vi } from 'vitest'
import type { HubClient } from '../client/hub-client.ts'
import { ReadState } from './read-state.ts'

test('a listener that fails on a full disk does not prevent the receipt or the ack', async () => {
  const call = vi.fn(async () => ({}))
  const fail = () => {
    throw new Error('ENOSPC: no space left on device, rename')
  }
  const client = { call } as unknown as HubClient
  const line = () => ({ client, scope: 'shop' })
  const state = new ReadState(line, 'session-1', { shown: fail, fetched: fail })
  state.answerShows(1, ['a'], true)
  state.answerWritten(1)
  state.clientSpoke()
  await state.settled()
  expect(call.mock.calls.map(([, request]: unknown[]) => request as never)).toEqual([
    { body: { ids: ['a'], session: 'session-1', project: 'shop' } },
    { body: { ids: ['a'], project: 'shop' } },
  ])
})

test("messages in a result are acked after the client's next request, and not if the client exits first", async () => {
  const call = vi.fn(async () => ({}))
  const line = () => ({ client: { call } as unknown as HubClient, scope: undefined })
  const exits = new ReadState(line, 'session-1')
  exits.answerShows(1, ['a'], true)
  exits.answerWritten(1)
  await exits.close()
  const fetchedReport = { body: { ids: ['a'], session: 'session-1', project: undefined } }
  expect(call.mock.calls.map(([, request]: unknown[]) => request as never)).toEqual([fetchedReport])

  const continues = new ReadState(line, 'session-2')
  continues.answerShows(1, ['b'], true)
  continues.answerWritten(1)
  await continues.settled()
  expect(call).toHaveBeenCalledTimes(2)
  continues.clientSpoke()
  await continues.settled()
  expect(call).toHaveBeenCalledTimes(3)
  expect(call.mock.lastCall).toEqual([expect.anything(), { body: { ids: ['b'], project: undefined } }])
})
