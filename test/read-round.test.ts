import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { readInbox } from '../src/hub/http/inbox.ts'
import { openHub } from '../src/hub/open-hub.ts'
import { indexSome } from '../src/hub/state/local/history-index.ts'
import { memberByName } from '../src/hub/state/query/find-member.ts'
import { allUnread } from '../src/hub/state/query/unread.ts'
import type { ClaudeNetError } from '../src/protocol/errors.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { tempDir } from './support/temp.ts'

const pageBytes = 4096
const bodies = Array.from({ length: 50 }, (_, n) => `body ${n} ${`${n}-`.repeat(6000)} end`)

/** Returns an overflow page in the middle of the text of number 7: it contains only text and the number of the next page. */
function overflowPage(file: Buffer): number[] {
  const pages = Array.from({ length: file.length / pageBytes }, (_, n) =>
    file.subarray(n * pageBytes, (n + 1) * pageBytes),
  )
  const isOne = (page: Buffer) => /^-?(7-){100}/.test(page.subarray(4).toString()) && page.readUInt32BE(0) > 0
  return [pages.findIndex(isOne) + 1]
}

/** Opens a hub whose store has fifty long messages for ben and one for cleo; the pages `pages` were damaged while it was closed. */
async function damagedAt(pages: (file: Buffer, rootOf: (table: string) => number) => number[]) {
  const dir = tempDir('read-round')
  const told: ClaudeNetError[] = []
  const open = () =>
    openHub({ dataDir: dir, onBug: () => {}, onStorageError: () => {}, onDamage: error => told.push(error) })
  let hub = open()
  for (const name of ['ana', 'ben', 'cleo']) await hub.submit({ type: 'member.add', name, kind: 'machine' })
  const by = memberByName(hub.state.db, 'ana')!.id
  const send = (to: string, body: string) =>
    hub.submit({ type: 'message.send', id: newMessageId(), by, to: [to], body, intent: 'request' })
  await Promise.all(bodies.map(body => send('ben', body)))
  await send('cleo', 'for cleo')
  while (indexSome(hub.state.db));
  // Completes the index by inbox, so that both tables contain all messages.
  hub.state.db.run(
    `insert into unread (recipient, seq, handling) select recipient, seq, handling from delivery
     where seq > (select seq from unread_position)`,
  )
  hub.state.db.run('update unread_position set seq = (select seq from position)')
  await hub.close()
  const path = join(dir, 'hub.db')
  const root = (table: string) => {
    using db = new DatabaseSync(path, { readOnly: true })
    const row = db.prepare('select rootpage from sqlite_schema where name = ?').get(table)
    return row!.rootpage as number
  }
  const file = openSync(path, 'r+')
  for (const page of pages(readFileSync(path), root)) {
    writeSync(file, Buffer.alloc(pageBytes), 0, pageBytes, (page - 1) * pageBytes)
  }
  closeSync(file)
  hub = open()
  onTestFinished(() => hub.close().catch(() => {}))
  const read = (name: string, after?: string, limit = 7) =>
    (
      readInbox as unknown as (call: unknown) => {
        messages: { body: string; damaged?: true }[]
        more: number
        cursor: string
      }
    )({
      hub,
      identity: { member: memberByName(hub.state.db, name)!.id },
      query: { after, limit },
      request: { log: { error: () => {} }, headers: {} },
    })
  return {
    hub,
    told,
    send,
    /** Returns all of an inbox, page by page. */
    inbox: (name: string) => {
      const all: string[] = []
      for (let after: string | undefined; ; ) {
        const page = read(name, after)
        all.push(...page.messages.map(({ body }) => body))
        if (page.more === 0) return all
        after = page.cursor
      }
    },
    /** Returns the events of a stream up to the end of its backlog. */
    follow: async (name: string) => {
      const end = new AbortController()
      let count = 0
      const member = memberByName(hub.state.db, name)!.id
      for await (const _ of hub.follow(member, undefined, end.signal, { onReady: () => end.abort() })) count++
      return count
    },
  }
}

test.for<[string, Parameters<typeof damagedAt>[0], number]>([
  ['a page of one text', overflowPage, 1],
  ['the index of the inboxes', (_, rootOf) => [rootOf('unread')], 0],
])(
  'with %s unreadable, all other messages can be read, also by streams, and no more are stored',
  async ([, pages, lost]) => {
    const { told, send, inbox, follow } = await damagedAt(pages)
    const read = inbox('ben')
    expect(read).toHaveLength(bodies.length - lost)
    for (const body of read) expect(bodies).toContain(body)
    expect(inbox('cleo')).toEqual(['for cleo'])
    expect(await follow('ben')).toBeGreaterThanOrEqual(bodies.length - lost)
    expect(told).toMatchObject([{ code: 'unavailable', message: expect.stringContaining('The store is damaged') }])
    await expect(send('ben', 'after')).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('The store is damaged'),
      hint: expect.stringContaining('restore a backup'),
    })
  },
)

test.for<[string, Parameters<typeof damagedAt>[0], { lost: number; open: number }]>([
  ['a page of one text', overflowPage, { lost: 1, open: 20 }],
  ['the index of what was sent', (_, rootOf) => [rootOf('sent')], { lost: 0, open: 20 }],
  ['the index of what was received', (_, rootOf) => [rootOf('received')], { lost: 0, open: 20 }],
  // It is then unknown which of them were answered.
  ['the index of answers', (_, rootOf) => [rootOf('answer')], { lost: 0, open: 0 }],
])(
  'with %s unreadable, history has all other messages, and the hub stops storing when the reading thread detects it',
  async ([, pages, { lost, open }]) => {
    const { hub, told, send } = await damagedAt(pages)
    const id = (name: string) => memberByName(hub.state.db, name)!.id
    const history = async (name: string, filter = {}) => {
      const seen: string[] = []
      for (let before = Number.MAX_SAFE_INTEGER; ; ) {
        const { found, more } = await hub.reader.ask(
          'history',
          { viewer: { member: id(name), readsTexts: false }, of: [id(name)], before, limit: 30, ...filter },
          name,
        )
        seen.push(...found.map(({ message }) => message.body))
        if (!more) return seen
        before = found.at(-1)!.message.seq
      }
    }
    const ofBen = bodies.toReversed().filter((_, n) => lost === 0 || n !== 42)
    expect(await history('ana')).toEqual(['for cleo', ...ofBen])
    expect(await history('ben')).toEqual(ofBen)
    expect(await history('ana', { with: id('ben') })).toEqual(ofBen)
    expect(await history('ben', { q: 'body 8' })).toEqual([bodies[8]])
    const requests = await hub.reader.ask('openRequests', { sender: id('ana'), now: Date.now() }, 'ana')
    expect(requests).toHaveLength(open)
    expect(told).toMatchObject([{ code: 'unavailable', message: expect.stringContaining('The store is damaged') }])
    expect(hub.damage).toBe(told[0])
    await expect(send('ben', 'after')).rejects.toBe(told[0])
  },
)

test('if the page of a text or the index of the inboxes is unreadable, unread messages are still counted', async () => {
  for (const pages of [overflowPage, (_: Buffer, rootOf: (table: string) => number) => [rootOf('unread')]]) {
    const { hub } = await damagedAt(pages)
    expect(allUnread(hub.state.db)).toMatchObject([
      { name: 'ben', unread: 50, oldestAt: expect.any(Number) },
      { name: 'cleo', unread: 1, oldestAt: expect.any(Number) },
      { name: 'ana', unread: 0, oldestAt: null },
    ])
  }
})
