import { lstatSync, type Stats, statSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { Connections } from '../client/transport/connections.ts'
import { unanswered } from '../client/transport/direct.ts'
import type { Transport, TransportRequest } from '../client/transport/transport.ts'
import { readOwnFile } from '../disk/own-file.ts'
import { type SocketPath, socketPathIn } from '../disk/socket-path.ts'
import { adminSocketFile } from '../protocol/admin-socket.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { visibleLine } from '../text/visible.ts'

/** Host header of a request over the socket: every hub accepts this name. */
const hub = new URL('http://localhost')

export interface AdminSocketOptions {
  /** Hint for an error where there is no socket. */
  missingHint: string
  /** The file in which a running hub says where it listens. */
  urlFile: string
}

/**
 * HTTP over the socket in a hub's data directory, without a token. Before each request the socket must be one, and the directory's
 * owner's or root's, in a directory that nobody else may write to: whoever answers there is the hub's user.
 */
export class AdminSocket implements Transport {
  readonly label: string
  readonly #dir: string
  readonly #options: AdminSocketOptions
  #open: { connections: Connections; path: SocketPath } | undefined

  constructor(dir: string, options: AdminSocketOptions) {
    this.label = join(dir, adminSocketFile)
    this.#dir = dir
    this.#options = options
  }

  async request(request: TransportRequest): Promise<IncomingMessage> {
    this.#check()
    try {
      this.#open ??= open(this.#dir)
      return await this.#open.connections.request(request)
    } catch (error) {
      throw await this.#inWords(error as NodeJS.ErrnoException)
    }
  }

  async opened(): Promise<void> {}

  close(): void {
    this.#open?.connections.close()
    this.#open?.path.close()
    this.#open = undefined
  }

  #check(): void {
    let directory: Stats
    let socket: Stats
    try {
      directory = statSync(this.#dir)
      socket = lstatSync(this.label)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EACCES') throw notAllowed(this.label)
      throw new ClaudeNetError('not_found', `${this.label} does not exist.`, this.#options.missingHint)
    }
    const why = whyNotTrusted(directory, socket)
    if (why === undefined) return
    throw new ClaudeNetError(
      'forbidden',
      `${this.label} cannot be trusted: ${why}. Nothing was sent to it.`,
      `A hub keeps its directory for its own user: chown and chmod 700 ${this.#dir}, remove ${adminSocketFile}, and restart the hub.`,
    )
  }

  async #inWords(error: NodeJS.ErrnoException): Promise<Error> {
    if (error.code === 'EACCES' || error.code === 'EPERM') return notAllowed(this.label)
    if (error.code !== 'ECONNREFUSED') return unanswered(error, this.label)
    const intruder = await whoHasThePort(this.#options.urlFile)
    return new ClaudeNetError(
      'unavailable',
      `No hub answers at ${this.label}: it was killed, or is starting.${intruder ? ` ${intruder}` : ''}`,
      intruder
        ? 'Nothing was sent to it, and the hub cannot come back on that port: end it, then start the hub.'
        : this.#options.missingHint,
    )
  }
}

function open(dir: string): { connections: Connections; path: SocketPath } {
  const path = socketPathIn(dir, adminSocketFile)
  return { connections: new Connections(hub, { socketPath: path.path }), path }
}

function whyNotTrusted(directory: Stats, socket: Stats): string | undefined {
  if (!socket.isSocket()) return 'it is not a socket'
  if (socket.nlink !== 1) return 'it has a second name (a hard link)'
  if ((directory.mode & 0o022) !== 0) return 'others may write to its directory'
  const me = process.geteuid?.()
  if (me !== 0 && ![0, me].includes(directory.uid)) return `its directory belongs to the user ${directory.uid}`
  if (![0, directory.uid].includes(socket.uid)) return `it belongs to the user ${socket.uid}`
  return undefined
}

function notAllowed(path: string): ClaudeNetError {
  return new ClaudeNetError(
    'forbidden',
    `${path} is not for this user.`,
    'Only root and the user of the hub may: run it with sudo.',
  )
}

/** Another program on the port of the hub that was killed, in a sentence. Looked up where there is a hub's program to do it with. */
async function whoHasThePort(urlFile: string): Promise<string | undefined> {
  try {
    const port = Number(new URL(readOwnFile(urlFile).trim()).port)
    const { listenerOn } = await import('../service/service.ts')
    const listener = listenerOn(port)
    if (!listener || listener.isSystemd) return undefined
    const { pid, uid, command } = listener
    return `Its port ${port} was taken by process ${pid}${uid === undefined ? '' : ` of the user ${uid}`}: ${visibleLine(command, 200)}.`
  } catch {
    return undefined
  }
}
