import { expect, onTestFinished, test } from 'vitest'
import { openHub } from '../src/hub/open-hub.ts'
import { unreadCount } from '../src/hub/state/query/inbox.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { hashJoinCode } from '../src/protocol/join-code.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

/** Opens a hub in this process whose disk completes a sync when the test allows it. */
async function hubOnHeldDisk() {
  const errors: { error: unknown; fatal: boolean }[] = []
  const hub = openHub({
    dataDir: tempDir('settling'),
    onBug: (_, error) => {
      throw error
    },
    onStorageError: (error, fatal) => errors.push({ error, fatal }),
  })
  onTestFinished(() => hub.close())
  for (const name of ['ada', 'ben']) {
    const codeHash = hashJoinCode(name).toString('base64')
    await hub.submit({ type: 'member.invite', name, kind: 'machine', codeHash, lifeS: 600 })
  }
  const { db } = hub.state
  const settle = db.settle.bind(db)
  const waiting: PromiseWithResolvers<void>[] = []
  db.settle = async () => {
    const held = Promise.withResolvers<void>()
    waiting.push(held)
    await held.promise
    await settle()
  }
  const held = () => until('a sync is under way', () => waiting.shift())
  return { hub, held, errors }
}

function send(body: string) {
  return { type: 'message.send' as const, id: newMessageId(), by: 1, to: ['ben'], body }
}

test('a command that is not on disk yet is neither readable, nor announced, nor answered', async () => {
  const { hub, held } = await hubOnHeldDisk()
  const { state } = hub
  const before = state.position
  const stop = new AbortController()
  const told: string[] = []
  const following = (async () => {
    for await (const { event } of hub.follow(2, undefined, stop.signal)) told.push(event)
  })()
  const [first, second] = [send('one'), send('two')]
  let answered = 0
  const sent = [first, second].map(command => hub.submit(command).finally(() => answered++))
  const sync = await held()

  expect(state.applied.seq).toBe(before.seq + 2)
  expect(state.position).toEqual(before)
  expect(unreadCount(state.db, 2)).toBe(0)
  expect(state.db.get('select 1 from message')).toBeUndefined()
  // The reading thread has another connection and sees the message, but its result waits for the sync.
  let found: unknown
  const asked = hub.reader
    .ask('message', { viewer: { member: 2, readsTexts: false }, id: first.id }, 'ben')
    .then(value => (found = value))
  // Further commands form the next batch.
  const third = hub.submit(send('three')).finally(() => answered++)
  await hub.reader.whileIdle(() => {})
  expect({ found, answered, told }).toEqual({ found: undefined, answered: 0, told: [] })

  sync.resolve()
  await Promise.all([...sent, asked])
  expect(found).not.toBeNull()
  expect(unreadCount(state.db, 2)).toBe(2)
  await until('both events', () => told.length === 2)
  // The third is in a batch of its own, whose sync is not complete.
  const next = await held()
  expect(unreadCount(state.db, 2)).toBe(2)
  next.resolve()
  await third
  expect(unreadCount(state.db, 2)).toBe(3)
  stop.abort()
  await following
})

test('if a sync fails, its submitters get an error, unsynced data is not readable, and the hub accepts no more', async () => {
  const { hub, held, errors } = await hubOnHeldDisk()
  const sent = ['one', 'two'].map(body => hub.submit(send(body)))
  const sync = await held()
  const asked = hub.reader.ask(
    'history',
    { viewer: { member: 2, readsTexts: false }, before: Number.MAX_SAFE_INTEGER, limit: 10 },
    'ben',
  )
  const outcomes = Promise.allSettled([...sent, asked])
  await hub.reader.whileIdle(() => {})
  sync.reject(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }))
  expect(await outcomes).toEqual(
    Array.from({ length: 3 }, () => ({ status: 'rejected', reason: expect.objectContaining({ code: 'unavailable' }) })),
  )
  expect(errors).toEqual([{ error: expect.objectContaining({ code: 'EIO' }), fatal: true }])
  expect(unreadCount(hub.state.db, 2)).toBe(0)
  await expect(hub.submit(send('three'))).rejects.toMatchObject({ code: 'unavailable' })
})

test('a hub that closes waits for the disk', async () => {
  const { hub, held } = await hubOnHeldDisk()
  const sent = Promise.all(['one', 'two'].map(body => hub.submit(send(body))))
  const sync = await held()
  let isClosed = false
  const closed = hub.close().then(() => (isClosed = true))
  await new Promise(resolve => setImmediate(resolve))
  expect(isClosed).toBe(false)
  sync.resolve()
  await Promise.all([sent, closed])
})
