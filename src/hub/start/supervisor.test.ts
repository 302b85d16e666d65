import { expect, onTestFinished, test } from 'vitest'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { Supervisor } from './supervisor.ts'

/** Starts a supervisor with a watchdog deadline of 30 ms; `probe` stands for the durable write. */
async function watched(probe: () => Promise<unknown>) {
  const reported: string[][] = []
  let probes = 0
  let wake = () => {}
  const supervisor = new Supervisor({
    env: { NOTIFY_SOCKET: '/run/none', WATCHDOG_USEC: '30000' },
    onError: error => {
      throw error
    },
    notify: async assignments => {
      reported.push(assignments)
      wake()
    },
  })
  onTestFinished(() => supervisor.stopping())
  await supervisor.ready('listens', () => {
    probes++
    wake()
    return probe()
  })
  const until = async (isThere: () => boolean) => {
    while (!isThere()) await new Promise<void>(resolve => (wake = resolve))
  }
  return {
    reported,
    /** Resolves after `times` probes, or as soon as the watchdog was reset. */
    probed: (times: number) => until(() => probes >= times || reported.length > 1),
    reportedTimes: (count: number) => until(() => reported.length >= count),
  }
}

test('the watchdog is reset once a write is on disk, and not while the disk hangs', async () => {
  const disk = Promise.withResolvers<void>()
  const { reported, probed, reportedTimes } = await watched(() => disk.promise)
  await probed(3)
  expect(reported).toEqual([['READY=1', 'STATUS=listens']])
  disk.resolve()
  await reportedTimes(2)
  expect(reported[1]).toEqual(['WATCHDOG=1', 'STATUS=listens'])
})

test('the watchdog is reset on a full disk, which the status reports, but not after the store has failed', async () => {
  let error: Error = new Error('the store is gone')
  const { reported, probed, reportedTimes } = await watched(() => Promise.reject(error))
  await probed(3)
  expect(reported).toHaveLength(1)
  error = new ClaudeNetError('unavailable', 'The disk is full.', 'Make room.')
  await reportedTimes(2)
  expect(reported[1]).toEqual(['WATCHDOG=1', 'STATUS=Writes are refused: The disk is full.'])
})
