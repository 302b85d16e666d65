import { DatabaseSync } from 'node:sqlite'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { version } from '../../protocol/version.ts'
import type { Entry, Outcome } from '../state/commands.ts'
import { CannotReplay, State } from '../state/state.ts'
import { newestSchema } from '../state/store/migrate.ts'
import { timestamp } from '../state/timestamp.ts'
import { damaged, scanTail } from './check-tail.ts'
import { fingerprintOf, shapeOf } from './fingerprint.ts'
import { readTail, TailDamage, type TailMatch } from './tail-format.ts'

/** The last entry to apply: by its seq, by the wall clock's time (ms since 1970), or the last there is. */
export type Target = { seq: number } | { time: number } | 'end'

/** Entries applied to a backup. */
export interface Replayed {
  /** The tail. */
  file: string
  entries: number
  /** The last entry in effect, of the tail or of the backup, and its time. */
  seq: number
  at: string
  /** TokenHosts at which the fingerprint and the chain of outcomes were compared with the live store's, and matched. */
  compared: number[]
}

/** Most entries in one transaction. */
const maxBatch = 500

/**
 * Applies the entries of an open tail, up to `target`, to the store at `path`, the copy of a backup, with the hub's own code. With
 * `compare` compares fingerprints and chains of outcomes on the way. Throws `invalid` when the tail does not reach that far, belongs to
 * another backup, is damaged before `target`, or when an entry has a different outcome than before.
 */
export function replayTail(
  { handle, file }: { handle: number; file: string },
  path: string,
  target: Target,
  { compare }: { compare: boolean },
): Replayed {
  const scan = scanTail(handle, file)
  using state = new State(path)
  // The store is a copy, synced at the end.
  state.db.execute('pragma synchronous = off')
  const base = state.position
  if (scan.start.epoch !== base.epoch || scan.start.seq > base.seq) {
    throw wrong(`The tail ${file} does not follow this backup.`, 'Name the directory of its tail with --log.')
  }
  expectReachable(target, base, scan, file)
  const matches = compare ? scan.matches.filter(isComparable) : []
  const replayed: Replayed = { file, entries: 0, seq: base.seq, at: timestamp(base.time), compared: [] }
  let batch: Recorded[] = []
  const applyBatch = () => {
    applyAll(state, batch)
    replayed.entries += batch.length
    batch = []
  }
  const stop = () => {
    applyBatch()
    const { seq, time } = state.position
    return { ...replayed, seq, at: timestamp(time) }
  }
  for (const { entry, refused } of goodEntries(handle)) {
    if (entry.seq > scan.seq) break
    const isBeyond = target !== 'end' && ('seq' in target ? entry.seq > target.seq : entry.time > target.time)
    // Entries in the backup always stay, even if the clock was set back since they were written.
    if (entry.seq > base.seq && isBeyond) return stop()
    if (entry.seq > base.seq) batch.push({ entry, refused })
    const match = matches.find(({ seq }) => seq === entry.seq)
    if (batch.length >= maxBatch || match) applyBatch()
    if (!match || entry.seq < base.seq) continue
    expectMatch(path, state.position.outcomes, match, file)
    replayed.compared.push(match.seq)
  }
  if (scan.damage !== undefined && !(typeof target === 'object' && 'seq' in target && target.seq <= scan.seq)) {
    throw damaged(file, scan.damage, scan.seq)
  }
  return stop()
}

interface Recorded {
  entry: Entry
  refused?: string
}

/** Yields the entries of a tail, up to its end or its damage. */
function* goodEntries(handle: number): Generator<Recorded> {
  try {
    for (const record of readTail(handle)) if ('entry' in record) yield record
  } catch (error) {
    if (!(error instanceof TailDamage)) throw error
  }
}

function applyAll(state: State, batch: readonly Recorded[]): void {
  if (batch.length === 0) return
  const outcomes = replayed(
    state,
    batch.map(({ entry }) => entry),
  )
  outcomes.forEach((outcome: Outcome, index) => {
    const { entry, refused } = batch[index]!
    const now = outcome.ok ? undefined : outcome.refusal.code
    if (now === refused) return
    throw wrong(
      `Entry ${entry.seq} (${entry.command.type}) was ${refused ?? 'carried out'} by the hub, and is ${now ?? 'carried out'} now.`,
      `claude-net restore BACKUP --to ${entry.seq - 1} stops before it. Report this.`,
    )
  })
}

function replayed(state: State, entries: readonly Entry[]): Outcome[] {
  try {
    return state.replay(entries)
  } catch (error) {
    if (error instanceof CannotReplay) throw wrong(error.message, error.hint)
    throw error
  }
}

/** Only the same version surely computes the same fingerprint from the same rows. */
function isComparable(match: TailMatch): boolean {
  return match.version === version && match.schema === newestSchema
}

function expectMatch(
  path: string,
  chain: string,
  { seq, fingerprint, outcomes = chain }: TailMatch,
  file: string,
): void {
  using db = new DatabaseSync(path, { readOnly: true })
  const isSame = fingerprintOf(db, shapeOf(db)) === fingerprint
  if (isSame && chain === outcomes) return
  const what = isSame ? 'its entries had other results' : 'the fingerprints of its rows differ'
  throw wrong(
    `With the tail ${file} the backup differs from the hub at entry ${seq}: ${what}.`,
    'Do not rely on this tail. Use the next backup, and report this.',
  )
}

function expectReachable(
  target: Target,
  base: { seq: number; time: number },
  { seq, damage }: { seq: number; damage: string | undefined },
  file: string,
): void {
  if (target === 'end') return
  if ('seq' in target ? target.seq < base.seq : target.time < base.time) {
    const end = 'seq' in target ? `entry ${base.seq}` : timestamp(base.time)
    throw wrong(`The backup itself ends at ${end}, which is later.`, 'Restore an earlier backup up to there.')
  }
  if (!('seq' in target) || target.seq <= Math.max(seq, base.seq)) return
  if (damage !== undefined) throw damaged(file, damage, seq)
  throw wrong(
    `The tail ${file} ends at entry ${seq}.`,
    'A later backup may have a later tail; --to end takes all of this one.',
  )
}

function wrong(message: string, hint: string): ClaudeNetError {
  return new ClaudeNetError('invalid', message, hint)
}
