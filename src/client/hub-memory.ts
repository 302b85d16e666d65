import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'

/** State about the machine's hubs that one process leaves for the next. */
const Known = z.object({
  /** Id of the way to the hub that responded last. */
  at: z.string(),
  /** Time of the next check whether the machine's own hub is back, in ms since 1970. */
  homeAt: z.number(),
  /** Position of the log in the last response, the way that it came by, and the time, in ms since 1970. */
  seq: z.object({ value: z.int().min(0), from: z.string(), at: z.number() }).optional(),
})
export type Known = z.output<typeof Known>

/** Stores `Known` in `run/hubs.json`. A power cut may lose it, which costs the next process a second. */
export class HubMemory {
  readonly #runDir: string

  constructor(runDir: string) {
    this.#runDir = runDir
  }

  read(): Known | undefined {
    try {
      return Known.safeParse(JSON.parse(readFileSync(join(this.#runDir, 'hubs.json'), 'utf8'))).data
    } catch {
      return undefined
    }
  }

  /** Writes `known`; does nothing if the disk cannot be written. */
  write(known: Known): void {
    const file = join(this.#runDir, 'hubs.json')
    const temporary = `${file}.${process.pid}.new`
    try {
      mkdirSync(this.#runDir, { recursive: true, mode: 0o700 })
      writeFileSync(temporary, JSON.stringify(known), { mode: 0o600 })
      renameSync(temporary, file)
    } catch {
      // The next process finds a working hub by itself.
    }
  }
}
