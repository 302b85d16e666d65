import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'

/** What a process of this machine knows of its hubs, for those that come after it. */
const Known = z.object({
  /** The way to the hub that worked last. */
  at: z.string(),
  /** When the machine's own hub is to be looked at again, ms since 1970. */
  homeAt: z.number(),
  /** How far the log had come in the last answer, by which way that came, and when, ms since 1970. */
  seq: z.object({ value: z.int().min(0), from: z.string(), at: z.number() }).optional(),
})
export type Known = z.output<typeof Known>

/** Keeps `Known` in `run/hubs.json`. It is lost in a power cut, which costs the next process a second. */
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

  /** Does nothing where the disk cannot be written. */
  write(known: Known): void {
    const file = join(this.#runDir, 'hubs.json')
    const temporary = `${file}.${process.pid}.new`
    try {
      mkdirSync(this.#runDir, { recursive: true, mode: 0o700 })
      writeFileSync(temporary, JSON.stringify(known), { mode: 0o600 })
      renameSync(temporary, file)
    } catch {
      // The next process finds out by itself.
    }
  }
}
