import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeDirectory, replaceFile } from '../disk/replace-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { WrongHubReport } from '../protocol/members.ts'
import { meRoutes } from '../protocol/routes/me.ts'
import type { Home } from './home.ts'
import type { HubClient } from './hub-client.ts'
import type { WrongHub } from './transport/pin.ts'

/** How often what answers in the hub's place is noted down at most, in ms; in between it is only refused. */
const notePauseMs = 1000

/** How long a report may take, in ms, before it is left to the next time: nobody waits for it. */
const reportMs = 2000

const noteFile = ({ runDir }: Home) => join(runDir, 'wrong-hub.json')

/** What notes down, for the hub and for doctor, that something else answered in the hub's place at `address`. */
export function wrongHubNotes(home: Home, address: string): (found: WrongHub) => void {
  let notedAt = -Infinity
  return ({ found }) => {
    const now = performance.now()
    if (now - notedAt < notePauseMs) return
    notedAt = now
    try {
      const times = (readWrongHub(home)?.times ?? 0) + 1
      makeDirectory(home.runDir)
      const note: WrongHubReport = { address, hubKey: found ?? null, times, at: new Date().toISOString() }
      replaceFile(noteFile(home), JSON.stringify(note), 0o600)
    } catch {
      // A disk that cannot be written: it is refused all the same.
    }
  }
}

/** What has answered in the hub's place and was not reported yet. */
export function readWrongHub(home: Home): WrongHubReport | undefined {
  try {
    return WrongHubReport.safeParse(JSON.parse(readFileSync(noteFile(home), 'utf8'))).data
  } catch {
    return undefined
  }
}

/** Reports to the hub, which notes it in its audit, what has answered in its place. Does nothing where nothing has. Throws nothing. */
export async function reportWrongHub(home: Home, client: HubClient): Promise<void> {
  if (!existsSync(noteFile(home))) return
  const note = readWrongHub(home)
  const tooLate = delay(reportMs, false, { ref: false })
  if (note && !(await Promise.race([tooLate, isTaken(client, note)]))) return
  rmSync(noteFile(home), { force: true })
}

async function isTaken(client: HubClient, note: WrongHubReport): Promise<boolean> {
  try {
    await client.call(meRoutes.reportWrongHub, { body: note })
    return true
  } catch (error) {
    // A hub of before takes no report, and need not be asked again.
    return error instanceof ClaudeNetError && error.code === 'not_found'
  }
}
