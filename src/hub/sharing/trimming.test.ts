import { expect, test } from 'vitest'
import { MemoryLog } from '../../../test/support/memory-log.ts'
import { Trimming } from './trimming.ts'

/** Ten records, and what was done about them. */
function trimming({ isMine = true, full = [false] }: { isMine?: boolean; full?: boolean[] } = {}) {
  const log = new MemoryLog(
    'history',
    Array.from({ length: 10 }, () => Buffer.from('x')),
  )
  const reported: string[] = []
  const hubs = [
    { name: 'h0', snapshot: 7 },
    { name: 'h1', snapshot: 4 },
  ]
  const live = new Set(['h0', 'h1'])
  const clock = { now: 0 }
  const kept = new Trimming({
    log: log.connect(),
    room: {
      isFull: async () => (full.length > 1 ? full.shift()! : full[0]!),
      make: async () => void reported.push('room'),
    },
    duty: { isMine },
    hubs: () => hubs,
    isLive: name => live.has(name),
    makeBackup: async () => void reported.push('backup'),
    onFull: isFull => reported.push(isFull ? 'full' : 'not full'),
    onTrimmed: upTo => reported.push(`trimmed ${upTo}`),
    onError: error => reported.push(`${error}`),
    monotonic: () => clock.now,
  })
  return { kept, log, reported, hubs, live, clock }
}

test('the log is trimmed up to the oldest snapshot of the hubs that are online or were within the last hour', async () => {
  const { kept, log, reported, hubs, live, clock } = trimming()
  await kept.look()
  expect([log.base, reported]).toEqual([4, ['trimmed 4', 'room']])
  live.delete('h1')
  await kept.look()
  clock.now = 3_600_000
  await kept.look()
  expect(log.base).toBe(4)
  clock.now++
  await kept.look()
  expect(log.base).toBe(7)
  // One without a snapshot needs all that is left.
  hubs.push({ name: 'h2', snapshot: 0 })
  hubs[0]!.snapshot = 9
  live.add('h2')
  await kept.look()
  expect(log.base).toBe(7)
  await kept.close()
})

test('a hub without the duty does not trim the log, unless that is full: then it frees space and makes a snapshot', async () => {
  const idle = trimming({ isMine: false })
  await idle.kept.look()
  expect([idle.log.base, idle.reported]).toEqual([0, []])
  await idle.kept.close()
  const { kept, log, reported } = trimming({ isMine: false, full: [true, false] })
  await kept.look()
  expect([log.base, reported]).toEqual([4, ['full', 'trimmed 4', 'room', 'backup', 'not full']])
  await kept.close()
})
