import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { tempDir } from '../../test/support/temp.ts'
import type { HubClient } from '../client/hub-client.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { SessionDir } from './session-dir.ts'
import { UnreadMirror } from './unread-mirror.ts'

test('as many unread as before are nothing new while the stream tells of each; without it they may be others', async () => {
  const home = tempDir('mirror')
  writeFileSync(join(home, 'config.json'), '{}')
  const ended = new AbortController()
  onTestFinished(() => ended.abort())
  const broken = Promise.withResolvers<never>()
  const gone = new ClaudeNetError('unavailable', 'The hub is gone.', '')
  let streams = 0
  const client = {
    call: async () => ({ messages: [], unread: 1, more: 0, cursor: '' }),
    transport: { opened: async () => {} },
    async *events({ opened }: { opened: () => void }) {
      if (++streams > 1) throw gone
      opened()
      yield await broken.promise
    },
  }
  const mirror = new UnreadMirror({
    dir: new SessionDir('77', home),
    home,
    session: 'session-77',
    client: () => client as unknown as HubClient,
    predecessors: () => [],
    onDue: () => {},
  })
  mirror.follow(ended.signal)
  await vi.waitFor(() => expect(mirror.isDue).toBe(true))
  await mirror.read()
  mirror.markDue(1)
  expect(mirror.isDue).toBe(false)

  broken.reject(gone)
  await vi.waitFor(() => {
    mirror.markDue(1)
    expect(mirror.isDue).toBe(true)
  })
})
