import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { backupOfTail, unfinished } from '../state/store/backup-names.ts'
import { newestSchema } from '../state/store/migrate.ts'
import { startOfTail } from './check-tail.ts'
import { readTail, type TailRecord } from './tail-format.ts'
import type { TailPlace } from './tail-writer.ts'

/** Time for which tails of another history are kept after their last write when their backups are not here, in ms: they may be all that is left of a lost store. */
const strangeLifeMs = 30 * 24 * 3600 * 1000

/** A place in the history of a store. */
export interface Place {
  epoch: string
  seq: number
}

/** Thrown when no tail can be continued. */
export class NoTail extends Error {
  override name = 'NoTail'
  constructor(cause?: Error) {
    super(cause ? `the last tail cannot be continued: ${cause.message}` : 'no tail ends where the store does', {
      cause,
    })
  }
}

/** Opens the tail in `dir` that was written last, truncated to its good lines, if `isEnd` accepts its end. Throws `NoTail`. */
export async function openLastTail(
  dir: string,
  backupDir: string,
  isEnd: (place: Place) => boolean,
): Promise<{ handle: FileHandle; place: TailPlace; file: string }> {
  const backups = new Set(await namesIn(backupDir))
  const names = await namesIn(dir)
  for (const name of names.filter(name => name.endsWith(`.log${unfinished}`))) await rm(join(dir, name))
  const tails = names.filter(name => backups.has(backupOfTail(name) ?? ''))
  const ages = await Promise.all(tails.map(async name => ({ name, at: (await stat(join(dir, name))).mtimeMs })))
  const newest = ages.sort((a, b) => b.at - a.at)[0]
  if (!newest) throw new NoTail()
  const file = join(dir, newest.name)
  const handle = await open(file, 'r+')
  try {
    const place = await endOf(handle.fd)
    if (!place || !isEnd(place)) throw new NoTail()
    await handle.truncate(place.bytes)
    return { handle, place, file }
  } catch (error) {
    await handle.close()
    throw error instanceof NoTail ? error : new NoTail(error as Error)
  }
}

/** Removes tails whose backups no longer exist; those of another history a month after their last write. */
export async function removeOldTails(
  dir: string,
  backupDir: string,
  { except, isOurs }: { except: string | undefined; isOurs: (start: Place) => boolean },
): Promise<void> {
  const backups = new Set(await namesIn(backupDir))
  for (const name of await namesIn(dir)) {
    const backup = backupOfTail(name)
    const file = join(dir, name)
    if (backup === undefined || backups.has(backup) || file === except) continue
    const start = startOfTail(file)
    const isOld = async () => Date.now() - (await stat(file)).mtimeMs > strangeLifeMs
    if ((start !== undefined && isOurs(start)) || (await isOld())) await rm(file, { force: true })
  }
}

/** Creates `dir` for its owner only, unless it exists. Does not create its parent. */
export async function makeDirectory(dir: string): Promise<void> {
  await mkdir(dir, { mode: 0o700 }).catch(error => {
    if (error.code !== 'EEXIST') throw error
  })
}

/** Returns where a tail of this schema ends; undefined if it was ended, or begins otherwise. Yields to other work while it reads. */
async function endOf(handle: number): Promise<TailPlace | undefined> {
  const records = readTail(handle)
  let [epoch, seq] = ['', 0]
  let isFirst = true
  for (let n = 0; ; n++) {
    const { value, done } = records.next()
    if (done) return isFirst ? undefined : { ...value, epoch, seq }
    if (isFirst !== 'tail' in value || 'end' in value) return undefined
    if ('tail' in value && value.schema !== newestSchema) return undefined
    isFirst = false
    ;({ epoch = epoch, seq = seq } = placeIn(value))
    if (n % 500 === 499) await new Promise(resolve => setImmediate(resolve))
  }
}

function placeIn(record: TailRecord): Partial<Place> {
  if ('entry' in record) return { seq: record.entry.seq }
  if ('tail' in record) return { epoch: record.epoch, seq: record.seq }
  return 'epoch' in record ? { epoch: record.epoch } : {}
}

/** Lists a directory; nothing if it does not exist. Throws when it cannot be read. */
async function namesIn(dir: string): Promise<string[]> {
  return readdir(dir).catch(error => {
    if (error.code === 'ENOENT') return []
    throw error
  })
}
