import { expect, test, vi } from 'vitest'
import type { HubClient } from '../client/hub-client.ts'
import { ReadState } from './read-state.ts'

test('a listener whose disk is full costs no receipt and no ack', async () => {
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

test('what an answer shows is acked once the client has spoken again, and not when it dies before', async () => {
  const call = vi.fn(async () => ({}))
  const line = () => ({ client: { call } as unknown as HubClient, scope: undefined })
  const dies = new ReadState(line, 'session-1')
  dies.answerShows(1, ['a'], true)
  dies.answerWritten(1)
  await dies.close()
  const toldFetched = { body: { ids: ['a'], session: 'session-1', project: undefined } }
  expect(call.mock.calls.map(([, request]: unknown[]) => request as never)).toEqual([toldFetched])

  const lives = new ReadState(line, 'session-2')
  lives.answerShows(1, ['b'], true)
  lives.answerWritten(1)
  await lives.settled()
  expect(call).toHaveBeenCalledTimes(2)
  lives.clientSpoke()
  await lives.settled()
  expect(call).toHaveBeenCalledTimes(3)
  expect(call.mock.lastCall).toEqual([expect.anything(), { body: { ids: ['b'], project: undefined } }])
})
