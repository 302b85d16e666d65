import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { becomeOwnerOf } from '../disk/as-owner.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { etcdAccess, type JournalSettings } from './config/journal.ts'
import { databaseFile } from './hub.ts'
import { newEpoch } from './journal/epoch.ts'
import { EtcdLog } from './journal/etcd/etcd-log.ts'
import { explainEtcdError, isRefusal } from './journal/etcd/explain-etcd-error.ts'
import { type EtcdAccess, EtcdGateway } from './journal/etcd/gateway.ts'
import { explainHistoryError } from './journal/explain-history-error.ts'
import { baseBytes, chained, HistoryError, type LogRecord } from './journal/log.ts'
import { checkBackup } from './keeping/check-backup.ts'
import { finishRestore, prepared as preparedFile } from './keeping/restore.ts'
import { lockDataDirectory } from './lock.ts'
import { openShared } from './open-hub.ts'
import { leaveLog, type OwnLog, ownLog } from './state/local/own-log.ts'
import { type Position, State } from './state/state.ts'

/** Name under which a store without a hub name catches up with the log. */
const leaving = 'leaving'

/** The settings of hub.json that identify a log. */
type LogInEtcd = Pick<JournalSettings, 'endpoints' | 'name' | 'tls' | 'user'>

/** Result of `beginHistory`. */
export interface Begun {
  name: string
  epoch: string
  /** Directory of the store with which it began; null if it began empty. */
  from: string | null
  /** Seq of the last entry of that store. */
  seq: number
  /** Whether an earlier run of the same command had begun it. */
  wasThere: boolean
}

/**
 * Begins a history in an etcd where `journal.name` is not taken: with the store in `from`, which becomes that of its first hub, or empty. The
 * store is checked completely first, and records that it belongs to the log before etcd does, so the same command continues after an
 * interruption. As root, first becomes the owner of the directory. Throws `conflict` when a hub runs there, the store belongs to another log,
 * or etcd has a history of that name; `unavailable` when etcd does not respond, `forbidden` when it refuses.
 */
export async function beginHistory(journal: LogInEtcd, from?: string): Promise<Begun> {
  const gateway = new EtcdGateway(etcdAccess(journal))
  try {
    const found = await EtcdLog.find(gateway, journal.name)
    if (from === undefined) return await beginEmpty(gateway, journal.name, found)
    becomeOwnerOf(from)
    const { lock, ...prepared } = prepare(from, journal.name, found)
    try {
      if (prepared.wasThere)
        return { name: journal.name, from, epoch: prepared.epoch, seq: prepared.seq, wasThere: true }
      await (await EtcdLog.create(gateway, journal.name, prepared.epoch, prepared.base)).close()
      return { name: journal.name, from, epoch: prepared.epoch, seq: prepared.seq, wasThere: false }
    } catch (error) {
      if (error instanceof HistoryError || isRefusal(error)) withStore(from, ({ db }) => leaveLog(db))
      throw error
    } finally {
      lock.release()
    }
  } catch (error) {
    throw inWords(error, journal.name)
  } finally {
    gateway.close()
  }
}

async function beginEmpty(gateway: EtcdGateway, name: string, found: string | undefined): Promise<Begun> {
  const epoch = found ?? newEpoch()
  const log = found === undefined ? await EtcdLog.create(gateway, name, epoch) : await EtcdLog.open(gateway, name)
  if ((await log.first()) > 0) throw isTaken(name)
  return { name, epoch, from: null, seq: 0, wasThere: found !== undefined }
}

interface Prepared {
  lock: { release(): void }
  epoch: string
  seq: number
  base: LogRecord
  wasThere: boolean
}

/** Prepares the store in `dir` to be the beginning of the log `name`; `found` is the epoch of the history that etcd has under that name. */
function prepare(dir: string, name: string, found: string | undefined): Prepared {
  expectStore(dir)
  const lock = lockDataDirectory(dir)
  try {
    finishRestore(dir)
    const before = withStore(dir, ({ db, position }) => ({ own: ownLog(db), position }))
    if (before.own) return { lock, ...prepareAgain(dir, { ...before, own: before.own }, name, found) }
    if (found !== undefined) throw isTaken(name)
    checkBackup(join(dir, databaseFile))
    return withStore(dir, state => {
      // At least 2, so that a hub without a snapshot cannot start at the first record: those before it exist nowhere.
      const offset = Math.max(state.position.offset + 1, 2)
      const epoch = newEpoch()
      const base = baseOf({ ...state.position, epoch, offset })
      const hash = chained(state.position.hash, base.bytes)
      state.joinLog(epoch, { name, hub: null, begunAt: offset }, { offset, hash })
      return { lock, epoch, seq: state.position.seq, base, wasThere: false }
    })
  } catch (error) {
    lock.release()
    throw error
  }
}

/** Prepares a store again after an earlier run, which was interrupted or succeeded. */
function prepareAgain(
  dir: string,
  { own, position }: { own: NonNullable<ReturnType<typeof ownLog>>; position: Position },
  name: string,
  found: string | undefined,
): Omit<Prepared, 'lock'> {
  const { epoch, seq, offset } = position
  if (
    own.name !== name ||
    (found !== undefined && found !== epoch) ||
    (found === undefined && own.begunAt !== offset)
  ) {
    throw new ClaudeNetError(
      'conflict',
      `The store in ${dir} belongs to another history already, '${own.name}' (${epoch}).`,
      `To begin another with it, make it standalone first: claude-net journal leave --data ${dir}`,
    )
  }
  return { epoch, seq, base: baseOf(position), wasThere: found !== undefined }
}

/** Returns the first record of a log whose first store is at this position. */
function baseOf({ epoch, seq, offset, outcomes }: Omit<Position, 'hash' | 'time' | 'steady'>): LogRecord {
  return { offset, bytes: baseBytes({ epoch, seq, offset, outcomes }) }
}

/** Result of `leaveHistory`. */
export interface Left {
  /** Name of the log, and of this hub in it. */
  name: string
  hub: string | null
  /** Seq of its last entry, and the time of that entry, in ms since 1970. */
  seq: number
  time: number
  /** Number of records of the log that were applied to it first; null if the log was not read. */
  caughtUp: number | null
}

/**
 * Makes the store in `dir` standalone; the other hubs of its history continue without it. With `journal`, first applies the records of the
 * log that the store lacks. Throws `conflict` when a hub runs there or the store is standalone already.
 */
export async function leaveHistory(dir: string, journal?: LogInEtcd): Promise<Left> {
  // Before root becomes the owner: only root may be able to read the files named in hub.json.
  const access = journal && etcdAccess(journal)
  expectStore(dir)
  becomeOwnerOf(dir)
  const lock = lockDataDirectory(dir)
  try {
    finishRestore(dir)
    const { own, offset } = withStore(dir, ({ db, position }) => ({ own: ownLog(db), offset: position.offset }))
    if (!own)
      throw new ClaudeNetError(
        'conflict',
        `The store in ${dir} is standalone already.`,
        `Start it: claude-net hub --data ${dir}`,
      )
    if (access) await catchUp(dir, access, own, journal!.name)
    return withStore(dir, ({ db, position }) => {
      leaveLog(db)
      const { seq, time } = position
      return { name: own.name, hub: own.hub, seq, time, caughtUp: access ? position.offset - offset : null }
    })
  } catch (error) {
    throw journal ? inWords(error, journal.name) : error
  } finally {
    lock.release()
  }
}

/** Applies the records of the log that the store in `dir` lacks. */
async function catchUp(dataDir: string, access: EtcdAccess, own: OwnLog, name: string): Promise<void> {
  const gateway = new EtcdGateway(access)
  try {
    const log = await EtcdLog.open(gateway, name)
    const { journal, state, level } = await openShared({ log, name, hub: own.hub ?? leaving }, { dataDir })
    level?.close()
    await journal.close()
    state.close()
  } finally {
    gateway.close()
  }
}

function withStore<T>(dir: string, use: (state: State) => T): T {
  using state = new State(join(dir, databaseFile))
  return use(state)
}

/** Throws `not_found` if there is no store in `dir`: opening it would create one. */
function expectStore(dir: string): void {
  if ((statSync(join(dir, databaseFile), { throwIfNoEntry: false })?.size ?? 0) > 0) return
  if (existsSync(join(dir, preparedFile))) return
  throw new ClaudeNetError('not_found', `There is no store of a hub in ${dir}.`, 'Name its data directory.')
}

function isTaken(name: string): ClaudeNetError {
  return new ClaudeNetError(
    'conflict',
    `etcd has a history called '${name}' already.`,
    `Begin one with another name, etcd://HOST:PORT/NAME. To add a new hub to '${name}', start it with an empty data directory: claude-net hub --data DIR --journal etcd://HOST:PORT/${name}`,
  )
}

function inWords(error: unknown, name: string): unknown {
  return explainEtcdError(explainHistoryError(error), name)
}
