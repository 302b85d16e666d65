import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { TestHub } from './hub.ts'

/**
 * One hub for all tests of the enclosing block, started before the first of them; its directory is kept and named when one
 * fails. `make` answers a hub that is not started yet and keeps its data in `dataDir`.
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
