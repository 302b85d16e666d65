import { expect, onTestFinished, test } from 'vitest'
import { seededRandom } from '../../../../test/support/random.ts'
import { tempDir } from '../../../../test/support/temp.ts'
import { TestState } from '../../../../test/support/test-state.ts'
import { newMessageId } from '../../../protocol/ids.ts'
import { changesAfter } from '../query/changes.ts'
import { unreadAfter, unreadCount, unreadCountAfter } from '../query/inbox.ts'
import { allUnread } from '../query/unread.ts'
import { State } from '../state.ts'

const names = ['ana', 'ben', 'cleo', 'dan', 'eva']

/** Compares every way to read an inbox with the deliveries themselves, which need no index to be found. */
function expectInOrder(state: State): void {
  const waiting = state.db.all<{ recipient: number; seq: number }>(
    'select recipient, seq from delivery where acked_at is null and expired_at is null order by seq',
  )
  const members = state.db.all<{ id: number }>('select id from member where deleted_at is null').map(({ id }) => id)
  for (const member of members) {
    const seqs = waiting.filter(({ recipient }) => recipient === member).map(({ seq }) => seq)
    expect(unreadAfter(state.db, member, 0, 10_000).map(({ seq }) => seq)).toEqual(seqs)
    expect(unreadCount(state.db, member)).toBe(seqs.length)
    const middle = seqs[seqs.length >> 1] ?? 0
    const later = seqs.filter(seq => seq > middle)
    expect(unreadCountAfter(state.db, member, middle)).toBe(later.length)
    expect(unreadAfter(state.db, member, middle, 7).map(({ seq }) => seq)).toEqual(later.slice(0, 7))
    const news = changesAfter(state.db, member, { deliveries: middle, receipts: Number.MAX_SAFE_INTEGER }, 10_000)
    expect(news.map(({ seq }) => seq)).toEqual(later)
    const oldest = seqs.length > 0 ? expect.any(Number) : null
    expect(allUnread(state.db).find(({ id }) => id === member)).toMatchObject({ unread: seqs.length, oldestAt: oldest })
  }
}

function unsorted(state: State): number {
  return state.db.get<{ n: number }>(
    'select count(*) as n from delivery where seq > (select seq from unread_position)',
  )!.n
}

test('inboxes are ordered and complete, sorted or not yet, while messages arrive, are acked and expire', () => {
  const dir = tempDir('state')
  const made = new TestState(dir)
  const ids = names.map(name => made.member(name))
  const random = seededRandom(7)
  const pick = (count: number) => Math.floor(random() * count)
  const sent: string[] = []
  // Five thousand deliveries: they are sorted several times.
  for (let round = 0; round < 12; round++) {
    made.doAtOnce(
      Array.from({ length: 150 }, (_, n) => {
        const id = newMessageId()
        sent.push(id)
        const to = n % 10 === 0 ? ['all'] : [names[pick(5)]!, names[pick(5)]!]
        return { type: 'message.send', id, by: ids[pick(5)]!, to, body: 'x', expiresInS: n % 7 === 0 ? 60 : undefined }
      }),
    )
    made.do({ type: 'inbox.ack', by: ids[pick(5)]!, ids: Array.from({ length: 90 }, () => sent[pick(sent.length)]!) })
    if (round % 4 === 3) {
      made.time += 120_000
      while (made.do({ type: 'clock.tick' }).more);
    }
    expectInOrder(made.state)
    if (round % 3 === 0) {
      made.state.tidy()
      expect(unsorted(made.state)).toBe(0)
      expectInOrder(made.state)
    }
  }
  made.do({ type: 'member.delete', name: 'eva' })
  expectInOrder(made.state)
  made.state.close()
  const again = new State(`${dir}/hub.db`)
  onTestFinished(() => again.close())
  expectInOrder(again)
})
