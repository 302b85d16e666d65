import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import lockfile from 'proper-lockfile'
import * as z from 'zod'
import { replaceFile, syncDirectory } from '../disk/replace-file.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError, ErrorBody } from '../protocol/errors.ts'
import { MessageId, newMessageId } from '../protocol/ids.ts'
import { maxBodyBytes, type SendAnswer, SendRequest, tooLarge } from '../protocol/messages.ts'
import type { Home } from './home.ts'
import type { HubClient } from './hub-client.ts'

/** How long a dead drainer's lock stands in the way, in ms. A live one touches it every half of that. */
const staleLockMs = 10_000

/** What came of a send: the hub's answer, or that it is kept and why. */
export type Sent = { kept: false; answer: SendAnswer } | { kept: true; id: string; waiting: number; why: string }

/** What came of one attempt to send what waits: by id what was decided, how many wait still, and why, or ''. */
export interface Drained {
  decided: Map<string, SendAnswer | ClaudeNetError>
  waiting: number
  why: string
}

/** A send that waited and was then refused for good. */
export interface Refused {
  id: string
  to: string | string[]
  error: ClaudeNetError
}

const Kept = z.strictObject({ ...SendRequest.shape, id: MessageId })
type Kept = z.output<typeof Kept>

const RefusedFile = z.object({ id: z.string(), to: z.union([z.string(), z.array(z.string())]), ...ErrorBody.shape })

/**
 * Sends that no hub has answered yet, one file each in `outbox/`, numbered in the order in which they were sent. Shared by all
 * processes of a machine; sending again under the same id is safe, so a file is removed only after an answer.
 *
 *   send()     tries at once when nothing waits; otherwise, or when no hub answers, the message is kept behind the others
 *   drain()    sends what waits, oldest first, one process at a time, and stops at the first that gets no answer
 *   refused/   what a hub refused for good after it had waited; told once by `takeRefused`, kept for doctor
 */
export class Outbox {
  readonly #home: Home
  readonly #client: HubClient
  /** The end of this process's queue: sends leave one after the other, so that none overtakes one that is being kept. */
  #turn: Promise<unknown> = Promise.resolve()
  /** Sends of this process that are neither answered nor kept yet, in order. */
  readonly #underWay = new Set<Kept>()

  constructor(home: Home, client: HubClient) {
    this.#home = home
    this.#client = client
  }

  /** Sends, or keeps what no hub answered. Throws what is malformed or what the hub refused; then nothing is kept. */
  async send(request: SendRequest): Promise<Sent> {
    const kept = wellFormed({ ...request, id: request.id ?? newMessageId() })
    this.#underWay.add(kept)
    return this.#inTurn(() => this.#sendOrKeep(kept)).finally(() => this.#underWay.delete(kept))
  }

  /** Keeps every send that has no answer yet, at once: for a process that is about to end. Answers how many. */
  keepUnderWay(): number {
    const count = this.#underWay.size
    for (const request of this.#underWay) this.#keep(request)
    return count
  }

  /**
   * Sends what waits. Answers what came of each that was decided, by id, and how many wait still, with the reason. Does nothing
   * while another process drains.
   */
  drain(): Promise<Drained> {
    return this.#inTurn(() => this.#drain())
  }

  /** The files that wait, oldest first. */
  waiting(): string[] {
    return waitingIn(this.#home)
  }

  /** Refusals that nobody was told of yet. Each is told once, to whoever asks first. */
  takeRefused(): Refused[] {
    return list(this.#refusedDir).flatMap(file => {
      try {
        mkdirSync(this.#toldDir, { recursive: true, mode: 0o700 })
        renameSync(join(this.#refusedDir, file), join(this.#toldDir, file))
      } catch {
        return [] // Another process was first.
      }
      return readRefused(join(this.#toldDir, file))
    })
  }

  /** Every refusal that is still on this disk, told or not. */
  refused(): Refused[] {
    return [this.#refusedDir, this.#toldDir].flatMap(dir => list(dir).flatMap(file => readRefused(join(dir, file))))
  }

  /** Runs `work` after everything else that this process sends. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => {})
    return result
  }

  async #sendOrKeep(request: Kept): Promise<Sent> {
    let outcome: SendAnswer | ClaudeNetError | undefined
    if (this.waiting().length > 0) {
      this.#keep(request)
      const { decided, waiting, why } = await this.#drain()
      outcome = decided.get(request.id)
      if (!outcome && why !== '') return { kept: true, id: request.id, waiting, why }
    }
    try {
      if (outcome instanceof ClaudeNetError) throw outcome
      // Without an outcome nothing waited, or another process has sent this one meanwhile: it gets the same answer again.
      return { kept: false, answer: outcome ?? (await this.#post(request)) }
    } catch (error) {
      if (error instanceof ClaudeNetError && error.code === 'unavailable') {
        this.#keep(request)
        return { kept: true, id: request.id, waiting: this.waiting().length, why: error.message }
      }
      this.#forgetRefused(request.id)
      throw error
    }
  }

  async #drain(): Promise<Drained> {
    const decided: Drained['decided'] = new Map()
    let why = ''
    // Again after unlocking: what was kept meanwhile, by a process that found the lock taken, nobody else would send.
    while (why === '' && this.waiting().length > 0) {
      const unlock = await this.#lock()
      if (!unlock) {
        why = 'another process is sending what waits'
        break
      }
      try {
        for (const file of this.waiting()) {
          why = await this.#sendFile(file, decided)
          if (why !== '') break
        }
      } finally {
        await unlock()
      }
    }
    return { decided, waiting: this.waiting().length, why }
  }

  #post(request: Kept): Promise<SendAnswer> {
    return this.#client.call(api.sendMessage, { body: request })
  }

  #keep(request: Kept): void {
    this.#underWay.delete(request)
    mkdirSync(this.#home.outboxDir, { recursive: true, mode: 0o700 })
    const last = Number(this.waiting().at(-1)?.split('-')[0] ?? 0)
    const file = `${String(last + 1).padStart(12, '0')}-${request.id}.json`
    replaceFile(join(this.#home.outboxDir, file), JSON.stringify(request), 0o600)
  }

  /** Sends one file. Answers '' when it was decided, otherwise why it must wait. */
  async #sendFile(file: string, decided: Drained['decided']): Promise<string> {
    const path = join(this.#home.outboxDir, file)
    let request: Kept
    try {
      request = Kept.parse(JSON.parse(readFileSync(path, 'utf8')))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
      // Set aside as it is: whoever reads it there is told what it is, and may save something of it.
      mkdirSync(this.#refusedDir, { recursive: true, mode: 0o700 })
      renameSync(path, join(this.#refusedDir, file))
      return ''
    }
    try {
      decided.set(request.id, await this.#post(request))
      rmSync(path, { force: true })
      syncDirectory(this.#home.outboxDir)
    } catch (error) {
      if (!(error instanceof ClaudeNetError)) throw error
      if (!error.settled) return error.message
      decided.set(request.id, error)
      this.#refuse(file, request, error)
    }
    return ''
  }

  #refuse(file: string, request: Pick<Refused, 'id' | 'to'>, error: ClaudeNetError): void {
    mkdirSync(this.#refusedDir, { recursive: true, mode: 0o700 })
    const record = { ...request, ...error.toBody(), refusedAt: new Date().toISOString() }
    replaceFile(join(this.#refusedDir, file), JSON.stringify(record), 0o600)
    rmSync(join(this.#home.outboxDir, file), { force: true })
    syncDirectory(this.#home.outboxDir)
  }

  /** The caller is told of this refusal directly. */
  #forgetRefused(id: string): void {
    for (const file of list(this.#refusedDir))
      if (file.includes(id)) rmSync(join(this.#refusedDir, file), { force: true })
  }

  get #refusedDir(): string {
    return join(this.#home.outboxDir, 'refused')
  }

  get #toldDir(): string {
    return join(this.#refusedDir, 'told')
  }

  /** Takes `run/outbox.lock`, or answers undefined while another process has it. */
  async #lock(): Promise<(() => Promise<void>) | undefined> {
    mkdirSync(this.#home.runDir, { recursive: true, mode: 0o700 })
    const lockfilePath = join(this.#home.runDir, 'outbox.lock')
    letAge(lockfilePath)
    try {
      return await lockfile
        .lock(this.#home.outboxDir, {
          lockfilePath,
          stale: staleLockMs,
          // After a long suspension another drainer may have taken over. Both then send the same ids in the same order, which
          // is safe, so there is nothing to do.
          onCompromised: () => {},
        })
        .then(release => () => release().catch(() => {}))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ELOCKED') return undefined
      throw error
    }
  }
}

/** The files that wait in a home's outbox, oldest first. */
export function waitingIn(home: Home): string[] {
  return list(home.outboxDir)
}

/** Checked before it is sent or kept: a kept message that turns out malformed would be refused when nobody waits any more. */
function wellFormed(request: Kept): Kept {
  const result = Kept.safeParse(request)
  const bytes = Buffer.byteLength(request.body)
  if (result.success && bytes > maxBodyBytes) throw tooLarge(bytes)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new ClaudeNetError(
    'invalid',
    `${issue?.path.join('.')}: ${issue?.message}`,
    'Correct it and send again; nothing was sent.',
  )
}

function readRefused(path: string): Refused[] {
  try {
    const { id, to, error } = RefusedFile.parse(JSON.parse(readFileSync(path, 'utf8')))
    return [{ id, to, error: ClaudeNetError.fromBody({ error }) }]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    return [damagedFile(basename(path), dirname(path))]
  }
}

/**
 * Gives a lock from the future today's date, so that it can grow stale: a drainer that was killed before the clock was set back
 * would hold up what waits until the clock has caught up. One that lives touches it again.
 */
function letAge(lock: string): void {
  const now = Date.now()
  const touchedAt = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? now
  if (touchedAt <= now + staleLockMs) return
  try {
    utimesSync(lock, now / 1000, now / 1000)
  } catch {
    // Its owner has just released it.
  }
}

/** What can still be said of a file that cannot be read: its name holds the id. */
function damagedFile(file: string, directory: string): Refused {
  const error = new ClaudeNetError('invalid', 'A kept message was damaged on this disk.', `See ${directory}`)
  return { id: file.slice(13, -5), to: '?', error }
}

function list(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter(file => /^\d{12}-.*\.json$/.test(file))
    .sort()
}
