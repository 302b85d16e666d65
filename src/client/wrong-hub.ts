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

/** Shortest interval between two notes of a wrong hub, in ms; in between it is only refused. */
const notePauseMs = 1000

/** Timeout of a report, in ms, after which it is left for the next time. */
const reportMs = 2000

const noteFile = ({ runDir }: Home) => join(runDir, 'wrong-hub.json')

/** Returns a function that records, for the hub and for doctor, that something other than the hub responded at `address`. */
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
      // The disk cannot be written. The wrong hub is refused all the same.
    }
  }
}

/** Returns the wrong hub that was recorded and is not reported yet. */
export function readWrongHub(home: Home): WrongHubReport | undefined {
  try {
    return WrongHubReport.safeParse(JSON.parse(readFileSync(noteFile(home), 'utf8'))).data
  } catch {
    return undefined
  }
}

/** Reports a recorded wrong hub to the hub, for its audit. Never throws. */
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
    // An older hub accepts no reports, so this one is not sent again.
    return error instanceof ClaudeNetError && error.code === 'not_found'
  }
}
