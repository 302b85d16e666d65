import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readInbox } from '../src/hub/http/inbox.ts'
import type { Hub } from '../src/hub/hub.ts'
import { openHub } from '../src/hub/open-hub.ts'
import { memberByName } from '../src/hub/state/query/find-member.ts'
import type { Cursor } from '../src/protocol/events.ts'
import { parseCursor } from '../src/protocol/events.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { tempDir } from './support/temp.ts'

/** Opens successive hubs in this process on one directory, which can be copied and restored. */
async function start() {
  const dir = join(tempDir('put-back'), 'data')
  const told: { cursor: Cursor; newest: number }[] = []
  let hub!: Hub
  const open = () => {
    hub = openHub({
      dataDir: dir,
      onBug: () => {},
      onStorageError: () => {},
      onPutBack: (cursor, newest) => told.push({ cursor, newest }),
    })
  }
  mkdirSync(dir)
  open()
  onTestFinished(() => hub.close())
  for (const name of ['ana', 'ben']) await hub.submit({ type: 'member.add', name, kind: 'machine' })
  const idOf = (name: string) => memberByName(hub.state.db, name)!.id
  return {
    told,
    hub: () => hub,
    /** Sends `count` messages to ben. Returns the seq of each. */
    send: async (count: number) => {
      const seqs: number[] = []
      for (let n = 0; n < count; n++) {
        const id = newMessageId()
        const sent = await hub.submit({ type: 'message.send', id, by: idOf('ana'), to: ['ben'], body: `${n}` })
        seqs.push(sent.seq)
      }
      return seqs
    },
    /** Returns the events of a stream of ben's from `cursor` to the end of its backlog, and the cursor there. */
    follow: async (cursor?: string) => {
      const end = new AbortController()
      const seqs: number[] = []
      let ready = ''
      const onReady = (at: string) => {
        ready = at
        end.abort()
      }
      for await (const { data } of hub.follow(idOf('ben'), parseCursor(cursor ?? ''), end.signal, { onReady }))
        seqs.push(data.seq)
      return { seqs, cursor: ready }
    },
    inbox: (after: string) =>
      (readInbox as unknown as (call: unknown) => { messages: { seq: number }[]; cursor: string })({
        hub,
        identity: { member: idOf('ben') },
        query: { after, limit: 100 },
        request: { log: { error: () => {} }, headers: {} },
      }),
    restart: async () => {
      await hub.close()
      open()
    },
    copyAside: () => cpSync(dir, `${dir}.copy`, { recursive: true }),
    putBack: async () => {
      await hub.close()
      rmSync(dir, { recursive: true })
      cpSync(`${dir}.copy`, dir, { recursive: true })
      open()
    },
  }
}

test('after a restart each reader continues from its cursor: nothing is delivered twice', async () => {
  const { send, follow, restart, inbox } = await start()
  await send(3)
  const first = await follow()
  await restart()
  const later = await send(2)
  expect((await follow(first.cursor)).seqs).toEqual(later)
  await restart()
  await restart()
  expect((await follow(first.cursor)).seqs).toEqual(later)
  expect(inbox(first.cursor).messages.map(({ seq }) => seq)).toEqual(later)
})

test.for([
  ['of a stopped hub', true],
  ['of a running hub, with its log', false],
] as const)(
  'after a copy %s was put back, a later cursor restarts from the first unread, even if the new history is longer by then',
  async ([, stopFirst]) => {
    const { hub, told, send, follow, inbox, restart, copyAside, putBack } = await start()
    const kept = await send(5)
    const before = await follow()
    if (stopFirst) await restart()
    copyAside()
    if (stopFirst) await restart()
    await send(10)
    const gone = await follow(before.cursor)
    expect(gone.seqs).toHaveLength(10)
    await putBack()

    expect((await follow(gone.cursor)).seqs).toEqual(kept)
    const fresh = await send(40)
    expect(hub().state.position.seq).toBeGreaterThan(parseCursor(gone.cursor)!.seq)
    expect((await follow(gone.cursor)).seqs).toEqual([...kept, ...fresh])
    expect(inbox(gone.cursor).messages.map(({ seq }) => seq)).toEqual([...kept, ...fresh])
    // A reader that has seen none of the lost entries continues as usual.
    expect((await follow(before.cursor)).seqs).toEqual(fresh)
    if (!stopFirst) expect(told).toHaveLength(1)
  },
)

test('a cursor beyond the newest, from a hub restored from a memory snapshot, begins an epoch and is reported once', async () => {
  const { hub, told, send, follow, inbox } = await start()
  const kept = await send(3)
  const { epoch, seq } = hub().state.position
  const ahead = (by: number) => `${epoch}:${seq + by}`
  expect((await follow(ahead(20))).seqs).toEqual(kept)
  expect(hub().state.position.epoch).not.toBe(epoch)
  const fresh = await send(30)
  expect((await follow(ahead(10))).seqs).toEqual([...kept, ...fresh])
  expect((await follow(ahead(0))).seqs).toEqual(fresh)
  expect(told).toEqual([{ cursor: { epoch, seq: seq + 20 }, newest: seq }])
  expect(inbox('999999').messages.map(({ seq }) => seq)).toEqual([...kept, ...fresh])
})
