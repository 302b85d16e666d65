import { hash as digest } from 'node:crypto'
import type { Command, Entry } from '../state/commands.ts'
import type { Mark } from '../state/state.ts'

/** The newest form of a pack that this program reads. A newer form stops the hub: see `readPack`. */
export const packVersion = 1

/**
 * Commands that became durable together, as one record of a log. The entries get the next numbers in their order; `time` and `steady` are
 * read from the clocks of the hub that appended it.
 */
export interface Pack {
  /** The form of the pack: see `packVersion`. */
  v: number
  /** Version of the rules by which its entries are applied: see `entryVersion`. Packs without it are of version 1. */
  rules?: number
  time: number
  steady: number
  /** Set when the writer had just joined, and did not know how much time had passed since the pack before: see `SteadyClock`. */
  unsure?: true
  commands: Command[]
  /** Indexes of commands that threw when they were first applied, in the local journal: they changed nothing, and are never applied. */
  failed?: number[]
  /** Unique to this pack, so that its writer recognizes it. */
  id?: string
  /** Name of the hub that wrote it, if it has one. */
  by?: string
  /** The writer's mark before this pack: the chain of records and of their outcomes. Readers compare it with their own. */
  after?: Mark
}

/** A pack in its place in the log; the first has offset 1. */
export interface LogRecord {
  offset: number
  bytes: Uint8Array
}

/**
 * An ordered, durable list of packs: the port that a replicated log implements. `LogJournal` makes a journal of any.
 * `test/suites/log-suite.ts` tests these promises.
 */
export interface Log extends AsyncDisposable {
  /** Name of this history. A log that was created anew, or set back on purpose, has another. */
  readonly epoch: string

  /** Returns the offset of the oldest record that exists; 0 when there is none. */
  first(): Promise<number>

  /** Returns the offset of the newest record; 0 when there is none. Every record that was durable before the call counts. */
  last(): Promise<number>

  /**
   * Makes `bytes` the record after `after`. Resolves to true once it is durable there, also when an earlier try put it there, and to false
   * when another record is in that place. Rejects when the result is not known: retry with the same bytes.
   */
  append(after: number, bytes: Uint8Array): Promise<boolean>

  /**
   * Yields every durable record behind `after`, in order and without a gap, until `signal` aborts. Throws `HistoryError` when records
   * behind `after` were trimmed, or `after` lies beyond the end.
   */
  follow(after: number, signal: AbortSignal): AsyncIterable<readonly LogRecord[]>

  /** Deletes the records up to `upTo`, which every hub must have in a snapshot. */
  trim(upTo: number): Promise<void>

  close(): Promise<void>
}

/** The log and this hub's state belong to different histories, or this program cannot read the log: the hub must not continue. */
export class HistoryError extends Error {
  override name = 'HistoryError'
  /** Advice to the admin. */
  readonly hint: string
  constructor(message: string, hint: string) {
    super(message)
    this.hint = hint
  }
}

export function packBytes(pack: Pack): Buffer {
  return Buffer.from(JSON.stringify(pack))
}

/** Returns the first record of a log that begins with a store: the position of that store. It is never applied. */
export function baseBytes(base: { epoch: string; seq: number; offset: number; outcomes: string }): Buffer {
  return Buffer.from(JSON.stringify({ v: packVersion, base }))
}

/** Throws `HistoryError` for a pack that only a newer program can read, and for anything that is no pack. */
export function readPack(bytes: Uint8Array): Pack {
  const pack = parsed(bytes)
  if (typeof pack?.v === 'number' && pack.v > packVersion) {
    throw new HistoryError(
      `The history has a pack of version ${pack.v}; this program knows ${packVersion} at most.`,
      'Upgrade this hub.',
    )
  }
  if (pack instanceof Object && 'base' in pack)
    throw new HistoryError(
      'The history begins with a store, which this one is not.',
      'Start this hub with a snapshot of that history.',
    )
  if (!isPack(pack))
    throw new HistoryError('The history has a record that is not a pack.', 'Report it; nothing of it was applied.')
  return pack
}

/** Checks the fields that are read before the entries are applied. */
function isPack(pack: Pack | undefined | null): pack is Pack {
  if (!pack || typeof pack.v !== 'number' || !Array.isArray(pack.commands) || pack.commands.length === 0) return false
  const { rules = 1, time, steady, commands, failed = [], after } = pack
  return (
    [rules, time, steady].every(Number.isSafeInteger) &&
    commands.every(command => typeof command?.type === 'string') &&
    Array.isArray(failed) &&
    (after === undefined || typeof after?.hash === 'string')
  )
}

/** Returns undefined for anything but JSON. */
function parsed(bytes: Uint8Array): Pack | undefined {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')) as Pack
  } catch {
    return undefined
  }
}

/** Returns the entries of a pack, numbered from `seq` + 1. */
export function entriesOf({ rules = 1, time, steady, commands, failed }: Pack, seq: number): Entry[] {
  return commands.map((command, index) => ({
    v: rules,
    seq: seq + 1 + index,
    time,
    steady,
    command,
    ...(failed?.includes(index) && { failed: true as const }),
  }))
}

/** Returns the chain of records after one more: SHA-256 over the chain before and the bytes, in base64. */
export function chained(before: string, bytes: string | Uint8Array): string {
  return digest(
    'sha256',
    typeof bytes === 'string' ? before + bytes : Buffer.concat([Buffer.from(before), bytes]),
    'base64',
  )
}
