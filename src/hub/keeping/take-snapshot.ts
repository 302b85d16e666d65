import { execFile } from 'node:child_process'
import { closeSync, constants, createWriteStream, openSync, renameSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:http'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { connect, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { copyInto } from '../../disk/copy-into.ts'
import { syncDirectory, syncFile } from '../../disk/replace-file.ts'
import { api } from '../../protocol/api.ts'
import { hubKeyOf } from '../../protocol/hub-key.ts'
import { logSecretHeader } from '../../protocol/hubs.ts'
import type { Peer } from '../sharing/peers.ts'
import { placeOfBackup } from './check-backup.ts'
import { finishRestore, prepared, preparing, removePart } from './restore.ts'
import { backupsIn } from './rotation.ts'

/** Time that a hub may take to accept a connection, and to send the next bytes, in ms: it may have to make a backup first. */
const connectMs = 5000
const silentMs = 900_000

/** Interval at which progress is reported, in ms. */
const progressMs = 10_000

export interface TakeSnapshotOptions {
  dataDir: string
  /** The history of the log, and the offset of its oldest record. */
  epoch: string
  first: number
  /** Offset of the store in `dataDir`: only a later snapshot is used. */
  offset: number
  /** A directory with backups of hubs of this log, which is searched first. */
  dir?: string
  peers: readonly Peer[]
  secret: string
  /** Program whose `backup --verify` reads the whole snapshot, in a process of its own. */
  program: string
  onProgress: (what: { from: string; bytes: number; of?: number }) => void
  /** Called with each source that had no usable snapshot, and why. */
  onFailed: (from: string, error: Error) => void
}

/** Source of a snapshot, and its place in the log. */
export interface TakenSnapshot {
  from: string
  offset: number
  seq: number
  /** Path of the replaced store; null when there was none. */
  replaced: string | null
}

/**
 * Replaces the store in `dataDir`, which must not be open, with a snapshot: the newest of `dir`, or one of a peer. It must pass the check,
 * be of this history, and be one that the log continues. A kill leaves the old store or the new one. Returns undefined when there is no
 * snapshot; changes nothing then.
 */
export async function takeSnapshot(options: TakeSnapshotOptions): Promise<TakenSnapshot | undefined> {
  const { dataDir, dir, peers } = options
  const part = join(dataDir, preparing)
  const sources: { from: string; fetch: () => Promise<void> }[] = [
    ...(dir === undefined ? [] : filesIn(dir, options)).map(from => ({
      from,
      fetch: async () => copyFile(from, part),
    })),
    ...peers.map(peer => ({ from: peer.name, fetch: () => download(peer, part, options) })),
  ]
  for (const { from, fetch } of sources) {
    try {
      removePart(part)
      await fetch()
      const place = placeOfBackup(part)
      expectContinued(place, options)
      await promisify(execFile)(process.execPath, [options.program, 'backup', '--verify', part, '--json'], {
        maxBuffer: 1024 * 1024,
      })
      makeOwn(part)
      syncFile(part)
      renameSync(part, join(dataDir, prepared))
      syncDirectory(dataDir)
      return { from, offset: place.offset, seq: place.seq, replaced: finishRestore(dataDir) }
    } catch (error) {
      options.onFailed(from, error as Error)
    }
  }
  removePart(part)
  return undefined
}

/** Returns the backups in a directory that the log can continue, newest first. */
function filesIn(dir: string, options: TakeSnapshotOptions): string[] {
  return backupsIn(dir)
    .map(({ name }) => join(dir, name))
    .filter(file => {
      try {
        expectContinued(placeOfBackup(file), options)
        return true
      } catch (error) {
        options.onFailed(file, error as Error)
        return false
      }
    })
}

function expectContinued(
  place: { epoch: string; offset: number },
  { epoch, first, offset }: Pick<TakeSnapshotOptions, 'epoch' | 'first' | 'offset'>,
): void {
  if (place.epoch !== epoch) throw new Error(`it is of another history, ${place.epoch}`)
  if (place.offset + 1 < first) throw new Error(`it stands at ${place.offset}, and the log begins at ${first}`)
  if (place.offset <= offset) throw new Error(`it stands at ${place.offset}, no further than the store that is here`)
}

function copyFile(from: string, to: string): void {
  const source = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    copyInto(source, to, 0o600)
  } finally {
    closeSync(source)
  }
}

/** Deletes what belongs to the other hub alone. */
function makeOwn(path: string): void {
  using db = new DatabaseSync(path)
  db.exec('pragma journal_mode = delete; pragma synchronous = full; begin immediate')
  for (const table of ['own_admin_token', 'own_log']) {
    const isThere = db.prepare(`select 1 from sqlite_schema where type = 'table' and name = ?`).get(table)
    if (isThere) db.exec(`delete from ${table}`)
  }
  db.exec('commit')
}

/** Downloads the snapshot of a peer from the first of its addresses that has it. */
async function download(peer: Peer, path: string, options: TakeSnapshotOptions): Promise<void> {
  const errors: string[] = []
  for (const url of peer.urls) {
    try {
      removePart(path)
      await downloadFrom(new URL(url), peer, path, options)
      return
    } catch (error) {
      errors.push(`${url}: ${(error as Error).message}`)
    }
  }
  throw new Error(errors.join('; ') || 'it has published no address')
}

async function downloadFrom(
  url: URL,
  { name, hubKey }: Peer,
  path: string,
  options: TakeSnapshotOptions,
): Promise<void> {
  const socket = await proven(url, hubKey)
  try {
    const response = await ask(url, socket, options.secret)
    const of = Number(response.headers['content-length'])
    let bytes = 0
    let reportedAt = performance.now()
    const counting = new Transform({
      transform(chunk: Buffer, _, done) {
        bytes += chunk.length
        if (performance.now() - reportedAt > progressMs) {
          reportedAt = performance.now()
          options.onProgress({ from: name, bytes, of })
        }
        done(null, chunk)
      },
    })
    options.onProgress({ from: name, bytes, of })
    await pipeline(response, counting, createWriteStream(path, { flags: 'wx', mode: 0o600 }))
    if (bytes !== of) throw new Error(`it ended after ${bytes} of ${of} bytes`)
  } finally {
    socket.destroy()
  }
}

/** Connects to a hub and checks its key, before anything is sent. */
function proven(url: URL, hubKey: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const servername = isIP(host) === 0 ? host : undefined
    const port = Number(url.port || 443)
    const socket = connect({ host, port, servername, rejectUnauthorized: false, minVersion: 'TLSv1.2' })
    const tooLate = setTimeout(() => socket.destroy(new Error(`no connection in ${connectMs} ms`)), connectMs)
    socket.once('error', reject).once('close', () => reject(new Error('the connection was closed')))
    socket.once('secureConnect', () => {
      clearTimeout(tooLate)
      const key = socket.getPeerX509Certificate()?.publicKey
      if (key && hubKeyOf(key) === hubKey) resolve(socket)
      else socket.destroy(new Error('it has another key than the hub has announced'))
    })
    socket.once('close', () => clearTimeout(tooLate))
  })
}

async function ask(url: URL, socket: TLSSocket, secret: string): Promise<IncomingMessage> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const { hubSnapshot } = api
    const headers = { host: url.host, [logSecretHeader]: secret, connection: 'close' }
    const asked = request({ createConnection: () => socket, path: hubSnapshot.path, headers }, resolve)
    asked.once('error', reject)
    asked.setTimeout(silentMs, () => asked.destroy(new Error('it sent nothing for too long')))
    asked.end()
  })
  if (response.statusCode === 200) return response
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) if (text.length < 1000) text += chunk
  throw new Error(`it returned ${response.statusCode}: ${text.slice(0, 300)}`)
}
