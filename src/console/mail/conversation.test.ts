import { expect, test, vi } from 'vitest'
import type { HistoryAnswer, MessageWithReceipts } from '../../protocol/messages.ts'
import { Conversation } from './conversation.ts'

const at = '2026-11-27T12:00:00.000Z'
const message = (seq: number): MessageWithReceipts => ({
  message: {
    ...{
      id: `m${seq}`,
      seq,
      from: 'ana',
      fromKind: 'machine',
      to: ['ben'],
      sentAt: at,
      intent: 'inform',
      body: `${seq}`,
    },
  },
  receipts: [{ name: 'ben', kind: 'machine', status: 'stored', online: true, lastSeenAt: null }],
})

/** Returns a history of `count` messages that is read like the hub's, and can grow or fail. */
function history(count: number) {
  const state = { count, asked: 0, failure: undefined as Error | undefined }
  const load = async (before = Number.MAX_SAFE_INTEGER, limit: number): Promise<HistoryAnswer> => {
    state.asked++
    if (state.failure) throw state.failure
    const seqs = Array.from({ length: state.count }, (_, index) => state.count - index).filter(seq => seq < before)
    return { messages: seqs.slice(0, limit).map(message), more: seqs.length > limit }
  }
  const none = async () => {
    throw new Error('not found')
  }
  return { state, load, conversation: new Conversation(load, none, ['ana', 'ben']) }
}

const seqs = ({ rows }: Conversation) => rows.value.map(({ message }) => message.seq)
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

test('pages are loaded one at a time, up to the beginning', async () => {
  const { state, conversation } = history(250)
  await Promise.all([conversation.older(), conversation.older()])
  expect(state.asked).toBe(1)
  expect(seqs(conversation)).toEqual(range(151, 250))
  await conversation.older()
  await conversation.older()
  await conversation.older()
  expect([seqs(conversation), conversation.hasOlder.value, state.asked]).toEqual([range(1, 250), false, 3])
})

test('a page that is requested while the previous one is drawn is loaded', async () => {
  const { state, conversation } = history(250)
  const stop = conversation.rows.subscribe(rows => {
    if (rows.length > 0) void conversation.older()
  })
  await conversation.older()
  await vi.waitFor(() => expect(seqs(conversation)).toEqual(range(1, 250)))
  stop()
  expect(state.asked).toBe(3)
})

test('messages that arrived meanwhile are added without a gap, however many', async () => {
  const { state, conversation } = history(250)
  await conversation.older()
  state.count = 480
  await Promise.all([conversation.refresh(), conversation.refresh()])
  expect(seqs(conversation)).toEqual(range(151, 480))
  state.count = 5000
  await conversation.refresh()
  expect([seqs(conversation), conversation.hasOlder.value]).toEqual([range(4501, 5000), true])
  await conversation.older()
  expect(seqs(conversation)).toEqual(range(4401, 5000))
})

test('answers to a question to a group are shown under it though no page has them; one that the reader may not see is requested once', async () => {
  const { state, load } = history(3)
  const asked: string[] = []
  const questions = async (before: number | undefined, limit: number) => {
    const page = await load(before, limit)
    const [receipt] = message(2).receipts
    const receipts = ['a9', 'a8'].map(answerId => ({ ...receipt!, name: `of ${answerId}`, answeredAt: at, answerId }))
    return { ...page, messages: page.messages.map(each => (each.message.seq === 2 ? { ...each, receipts } : each)) }
  }
  const conversation = new Conversation(
    questions,
    async id => {
      asked.push(id)
      if (id === 'a8') throw new Error('not found')
      return { message: { ...message(9).message, id, replyTo: 'm2' }, receipts: [] }
    },
    ['ana', 'back'],
  )
  await conversation.older()
  await vi.waitFor(() => expect(seqs(conversation)).toEqual([1, 3, 2, 9]))
  state.count = 120
  await conversation.refresh()
  expect([seqs(conversation).length, asked]).toEqual([121, ['a9', 'a8']])
})

test('a page that failed to load is reported, and loaded by the next attempt', async () => {
  const { state, conversation } = history(3)
  state.failure = new Error('offline')
  await conversation.older()
  expect([conversation.error.value, conversation.isLoaded.value]).toEqual([state.failure, false])
  state.failure = undefined
  await conversation.refresh()
  expect([conversation.error.value, seqs(conversation)]).toEqual([undefined, [1, 2, 3]])
})

test('the change of a delivery shows at once, and a late report of an earlier state changes nothing', async () => {
  const { conversation } = history(2)
  await conversation.older()
  const receipt = () => conversation.get('m2')!.receipts[0]
  const step = (status: string) => conversation.change({ id: 'm2', recipient: 'ben', status, at })
  step('acked')
  step('fetched')
  step('told')
  step('expired')
  expect(receipt()).toMatchObject({ status: 'acked', ackedAt: at, fetchedAt: at, toldAt: at })
  expect(receipt()!.expiredAt).toBeUndefined()
  conversation.change({ id: 'm9', recipient: 'ben', status: 'acked', at })
  conversation.change({ id: 'm1', recipient: 'cat', status: 'acked', at })
  expect(conversation.get('m1')!.receipts[0]!.status).toBe('stored')
})

test('after it is closed nothing changes', async () => {
  const { conversation } = history(2)
  const loading = conversation.older()
  conversation.close()
  await loading
  expect(seqs(conversation)).toEqual([])
})
