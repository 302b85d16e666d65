import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { api } from '../../src/protocol/api.ts'
import { TestHub } from './hub.ts'

/**
 * Returns one hub for all tests of the enclosing block, which is started before the first of them. Its directory is kept, and named, when a
 * test fails. `make` returns a hub that is not started yet and keeps its data in `dataDir`.
 */
export function sharedHub(make = (dataDir: string) => new TestHub({ dataDir })): TestHub {
  const dir = mkdtempSync(join(tmpdir(), 'claude-net-shared-hub-'))
  const hub = make(join(dir, 'data'))
  let hasFailed = false
  beforeAll(() => hub.start())
  afterEach(({ task }) => {
    hasFailed ||= task.result?.state === 'fail'
  })
  afterAll(async () => {
    await hub.close()
    if (hasFailed) console.log(`kept for a look: ${dir}`)
    else rmSync(dir, { recursive: true, force: true })
  })
  return hub
}

/**
 * Returns a function that prepares a shared hub (`sharedHub`) for a test that needs it empty: it starts the hub if an earlier test stopped
 * it, and removes members and groups. The log and the audit keep the traces of earlier tests.
 */
export function emptiedHub(make?: (dataDir: string) => TestHub): () => Promise<TestHub> {
  const hub = sharedHub(make)
  return async () => {
    if (!hub.isRunning) await hub.start()
    const admin = hub.client(hub.adminToken)
    const { members } = await admin.call(api.listMembers)
    for (const { name } of members) await admin.call(api.deleteMember, { params: { name } })
    const { groups } = await admin.call(api.listGroups)
    for (const { name } of groups) await admin.call(api.deleteGroup, { params: { name } })
    admin.close()
    return hub
  }
}
