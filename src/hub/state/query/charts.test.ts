import { expect, test } from 'vitest'
import { printedSeed, seededRandom } from '../../../../test/support/random.ts'
import { TestState } from '../../../../test/support/test-state.ts'
import { chartColumns } from '../../../protocol/charts.ts'
import { indexSome } from '../local/history-index.ts'
import { chartsOf } from './charts.ts'
import type { Eyes } from './viewer.ts'

const hour = 3_600_000

/** Ids that no member has. */
const many = Array.from({ length: 30 }, (_, n) => 1000 + n)

interface Delivery {
  sender: number
  recipient: number
  id: string
  sentAt: number
  noticedAt?: number
  ackedAt?: number
}

/** Returns the expected charts, from every message for every column. */
function expected(all: readonly Delivery[], eyes: Eyes, { hours, now }: { hours: number; now: number }) {
  const columnMs = (hours * hour) / chartColumns
  const from = (Math.floor(now / columnMs) + 1 - chartColumns) * columnMs
  const sees = (member: number) => eyes === 'all' || eyes.has(member)
  const columns = Array.from({ length: chartColumns }, (_, column) => {
    const [start, end] = [from + column * columnMs, from + (column + 1) * columnMs]
    const at = Math.min(end, now)
    const sent = all.filter(({ sentAt }) => sentAt >= start && sentAt < end)
    const noticed = sent
      .flatMap(({ recipient, sentAt, noticedAt }) => (noticedAt && sees(recipient) ? [noticedAt - sentAt] : []))
      .sort((a, b) => a - b)
    const unread = all.filter(
      ({ recipient, sentAt, ackedAt }) => sees(recipient) && sentAt <= at && (ackedAt ?? Infinity) > at,
    )
    return {
      sends: sent.filter(({ sender, recipient }) => sees(sender) || sees(recipient)).length,
      p50: noticed[Math.floor(noticed.length / 2)] ?? null,
      p95: noticed[Math.floor(noticed.length * 0.95)] ?? null,
      oldest: unread.length === 0 ? null : Math.round((at - Math.min(...unread.map(({ sentAt }) => sentAt))) / 1000),
    }
  })
  return {
    from,
    columnMs,
    sends: columns.map(({ sends }) => sends),
    noticeMs: { p50: columns.map(({ p50 }) => p50), p95: columns.map(({ p95 }) => p95) },
    oldestUnreadS: columns.map(({ oldest }) => oldest),
  }
}

test.each(['never', 'halfway', 'at the end'])('charts equal those computed from every message; indexed %s', when => {
  const made = new TestState()
  made.state.db.addCheck('in_time', () => {})
  const random = seededRandom(printedSeed())
  const members = ['ana', 'ben', 'cat'].map(name => made.member(name))
  const pick = () => Math.floor(random() * members.length)
  const all: Delivery[] = []
  for (let step = 0; step < 250; step++) {
    made.time += Math.floor(random() * random() * hour)
    if (when === 'halfway' && step === 120) while (indexSome(made.state.db));
    const waiting = all.filter(({ ackedAt }) => ackedAt === undefined)
    const one = waiting[Math.floor(random() * waiting.length)]
    if (one && random() < 0.45) {
      made.do({ type: 'inbox.ack', by: one.recipient, ids: [one.id] })
      one.ackedAt = made.time
      one.noticedAt ??= made.time
    } else if (one && random() < 0.3) {
      made.do({ type: 'inbox.told', by: one.recipient, ids: [one.id], session: 's', how: 'wake' })
      one.noticedAt ??= made.time
    } else {
      const [sender, to] = [members[pick()]!, pick()]
      const id = made.send(sender, ['ana', 'ben', 'cat'][to]!)
      all.push({ sender, recipient: members[to]!, id, sentAt: made.time })
    }
  }
  if (when === 'at the end') while (indexSome(made.state.db));
  const now = made.time + 1
  for (const hours of [1, 24, 720])
    for (const eyes of [
      'all',
      new Set([members[0]!]),
      new Set(members.slice(1)),
      new Set([...members.slice(1), ...many]),
    ] as Eyes[])
      expect(
        chartsOf(made.state.db, eyes, { hours, now }, () => {}),
        `${hours}`,
      ).toEqual(expected(all, eyes, { hours, now }))
})

test('a message to all counts once, and an empty store has all columns', () => {
  const made = new TestState()
  made.state.db.addCheck('in_time', () => {})
  const look = (eyes: Eyes) => chartsOf(made.state.db, eyes, { hours: 24, now: made.time + 1 }, () => {})
  expect(look('all').sends).toEqual(new Array(chartColumns).fill(0))
  const [ana] = ['ana', 'ben', 'cat'].map(name => made.member(name))
  made.send(ana!, 'all')
  expect(look('all').sends.at(-1)).toBe(1)
  expect(look(new Set([ana!])).sends.at(-1)).toBe(1)
  expect(look(new Set([99])).sends.at(-1)).toBe(0)
})
