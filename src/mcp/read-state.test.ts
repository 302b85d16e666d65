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
