import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { HubClient } from '../client/hub-client.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { StreamEvent } from '../protocol/events.ts'
import type { MessageWithReceipts } from '../protocol/messages.ts'
import { messagesRoutes } from '../protocol/routes/messages.ts'
import type { SessionDir } from './session-dir.ts'

/**
 * The questions to several that a session has asked and that gather answers still: until one is over, its answers wake nobody. Whether it
 * is, the hub says. On disk beside `asked/`, an empty file each, for the same reasons.
 */

/** How long after one look at a question the next comes at the earliest, and at the latest, in ms. */
const pauseMs = 250
const longestMs = 20_000

/** How long a question that the hub does not know is kept, and how often the hub is asked of it: it may wait in the outbox, or until it is due. In ms. */
const unknownMs = 30 * 24 * 3600_000
const unknownPauseMs = 60_000

/** Notes that this session has asked several by message `id`. */
export function noteGathering(dir: SessionDir, id: string): void {
  mkdirSync(dir.file('gathering'), { recursive: true, mode: 0o700 })
  writeFileSync(join(dir.file('gathering'), id), '', { mode: 0o600 })
}

/** Takes over what the session of `before` gathers: its conversation goes on here. */
export function inheritGathering(dir: SessionDir, before: SessionDir): void {
  for (const id of gatheringIn(before)) {
    mkdirSync(dir.file('gathering'), { recursive: true, mode: 0o700 })
    renameSync(join(before.file('gathering'), id), join(dir.file('gathering'), id))
  }
}

function gatheringIn(dir: SessionDir): string[] {
  return existsSync(dir.file('gathering')) ? readdirSync(dir.file('gathering')) : []
}

/** A question that is over. `found` is what the hub says of it; undefined where there is nothing to tell: an older hub has no such thing. */
export interface Gathered {
  id: string
  found?: MessageWithReceipts
}

interface Open {
  /** When it was first seen here, and when it is looked at next; ms on a clock that never steps. */
  since: number
  lookAt: number
  lookedAt: number
  /** An urgent answer has come: it is over, whatever the hub says. */
  isOver: boolean
}

/** Which questions of one session are open, as far as the hub has said. */
export class Gathering {
  readonly #dir: SessionDir
  readonly #open = new Map<string, Open>()
  readonly #onDue: () => void

  /** `onDue` is called when `look` has something to ask. */
  constructor(dir: SessionDir, onDue: () => void) {
    this.#dir = dir
    this.#onDue = onDue
  }

  /** Whether answers to message `id` are gathered still. */
  has(id: string | undefined): boolean {
    return id !== undefined && (this.#open.has(id) || existsSync(join(this.#dir.file('gathering'), id)))
  }

  /** An answer to `id` has come. An urgent one ends it. */
  answered(id: string, isUrgent: boolean): void {
    this.#read(performance.now())
    const open = this.#open.get(id)
    if (!open) return
    open.isOver ||= isUrgent
    this.#hurry(open)
  }

  /** Something has happened that may end a question. */
  heard({ event, data }: StreamEvent): void {
    if (event === 'receipt' && data.status === 'expired' && this.#open.has(data.id))
      this.#hurry(this.#open.get(data.id)!)
    if (event === 'presence' && !data.online) this.hurryAll()
  }

  /** The hub is to be asked of all: it was away. */
  hurryAll(): void {
    for (const open of this.#open.values()) this.#hurry(open)
  }

  /** Asks the hub of those for which it is time. Returns those that are over, once each. */
  async look(client: () => HubClient): Promise<Gathered[]> {
    const now = performance.now()
    this.#read(now)
    const over: Gathered[] = []
    for (const [id, open] of this.#open) {
      if (open.lookAt > now) continue
      const found = await this.#ask(client, id, open)
      if (!found) continue
      this.#open.delete(id)
      rmSync(join(this.#dir.file('gathering'), id), { force: true })
      over.push(found)
    }
    return over
  }

  /** Returns the question where it is over. One of which nothing could be learnt stays open. */
  async #ask(client: () => HubClient, id: string, open: Open): Promise<Gathered | undefined> {
    open.lookedAt = performance.now()
    open.lookAt = open.lookedAt + longestMs
    try {
      const found = await client().call(messagesRoutes.getMessage, { params: { id } })
      if (!found.gather) return { id }
      if (open.isOver || !found.gather.open) return { id, found }
      open.lookAt = open.lookedAt + Math.min(longestMs, found.gather.leftMs + 1)
      this.#callLater(found.gather.leftMs + 1)
    } catch (error) {
      const isUnknown = error instanceof ClaudeNetError && error.code === 'not_found'
      if (isUnknown) open.lookAt = open.lookedAt + unknownPauseMs
      if (isUnknown && (open.isOver || open.lookedAt - open.since > unknownMs)) return { id }
    }
    return undefined
  }

  #hurry(open: Open): void {
    const now = performance.now()
    open.lookAt = open.isOver ? now : Math.min(open.lookAt, Math.max(now, open.lookedAt + pauseMs))
    this.#callLater(open.lookAt - now)
  }

  #callLater(ms: number): void {
    if (ms <= longestMs) setTimeout(this.#onDue, Math.max(0, ms) + 1).unref()
  }

  /** Takes up what was noted since, perhaps by another server of this session. */
  #read(now: number): void {
    for (const id of gatheringIn(this.#dir))
      if (!this.#open.has(id))
        this.#open.set(id, { since: now, lookAt: now, lookedAt: Number.NEGATIVE_INFINITY, isOver: false })
  }
}
