import { expect, test } from 'vitest'
import { ClaudeNetError } from '../protocol/errors.ts'
import { newMessageId } from '../protocol/ids.ts'
import type { Line } from './line.ts'
import { toolRuns } from './tools.ts'

/** Creates the tools of a machine whose hub responds with `call` and whose outbox returns `takeRefused`. */
function start(call: () => unknown, takeRefused: () => unknown[]) {
  const shows: unknown[] = []
  const line = {
    client: { call: async () => call(), now: Date.now },
    outbox: { takeRefused },
  }
  const runs = toolRuns({
    line: () => line as unknown as Line,
    readState: {
      settled: async () => {},
      answerShows: id => shows.push(id),
    },
    messageIdOf: () => newMessageId(),
    onAsked: () => {},
    takeRemarks: () => [],
  })
  return { runs, shows }
}

const inbox = () => ({ messages: [], unread: 0, more: 0, cursor: '' })
const refused = { id: 'kept-1', to: 'nobody', error: new ClaudeNetError('not_found', 'No such member.', 'Look again.') }

test('a notice about a refused send precedes an error too', async () => {
  const failing = () => {
    throw new ClaudeNetError('unavailable', 'The hub is away.', 'Later.')
  }
  const { runs } = start(failing, () => [refused])
  const { content, isError } = await runs.claude_net_machines({}, call(false))
  expect(isError).toBe(true)
  expect(content[0]!.text).toMatch(/was refused and not sent \(to nobody, kept-1\)[\s\S]*The hub is away\./)
})

test('a result is returned even if the refused sends cannot be read', async () => {
  const { runs } = start(inbox, () => {
    throw new Error('EACCES')
  })
  const { content, isError } = await runs.claude_net_inbox({}, call(false))
  expect([isError, content[0]!.text]).toEqual([undefined, expect.stringMatching(/EACCES[\s\S]*unread/i)])
})

test('a result that the client cancelled counts as showing nothing', async () => {
  const { runs, shows } = start(inbox, () => [])
  await runs.claude_net_inbox({}, call(true, 1))
  await runs.claude_net_inbox({}, call(false, 2))
  expect(shows).toEqual([2])
})

function call(isGivenUp: boolean, id = 1) {
  return { id, toolUseId: undefined, signal: isGivenUp ? AbortSignal.abort() : new AbortController().signal }
}
