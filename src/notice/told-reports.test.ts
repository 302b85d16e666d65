import { expect, test } from 'vitest'
import type { HubClient } from '../client/hub-client.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { ToldHow } from '../protocol/messages.ts'
import { ToldReports } from './told-reports.ts'

/** Creates the reports of a session, and records the requests. `refuse` is thrown instead of a response. */
function reporting(refuse?: Error) {
  const sent: { ids: string[]; how: string }[] = []
  const client = {
    call: async (_: unknown, { body }: { body: { ids: string[]; how: string } }) => {
      sent.push({ ids: body.ids, how: body.how })
      if (refuse) throw refuse
    },
  }
  return { sent, reports: new ToldReports({ session: 's1', client: () => client as unknown as HubClient }) }
}

const told = (ids: string[], how: ToldHow) => new Map(ids.map(id => [id, how]))

test('each message is reported once, in batches, and again when the session is woken for it after a hook announced it', async () => {
  const { sent, reports } = reporting()
  await reports.report(told(['a', 'b'], 'hook'))
  await reports.report(told(['a', 'b', 'c'], 'hook'))
  await reports.report(told(['a'], 'wake'))
  await reports.report(told(['a'], 'channel'))
  await reports.report(told(['a'], 'hook'))
  expect(sent).toEqual([
    { ids: ['a', 'b'], how: 'hook' },
    { ids: ['c'], how: 'hook' },
    { ids: ['a'], how: 'wake' },
  ])
})

test('a request has at most 100 messages, and the rest are sent with the next report', async () => {
  const { sent, reports } = reporting()
  const many = told(
    Array.from({ length: 150 }, (_, n) => `id-${n}`),
    'hook',
  )
  await reports.report(many)
  await reports.report(many)
  await reports.report(many)
  expect(sent.map(({ ids }) => ids.length)).toEqual([100, 50])
})

test('a failed report is not retried at once, and never on a hub that is too old', async () => {
  for (const code of ['unavailable', 'not_found'] as const) {
    const { sent, reports } = reporting(new ClaudeNetError(code, 'No.', ''))
    await reports.report(told(['a'], 'hook'))
    await reports.report(told(['a'], 'hook'))
    expect(sent).toHaveLength(1)
  }
})
