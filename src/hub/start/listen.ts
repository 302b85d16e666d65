import { lookup } from 'node:dns/promises'
import { rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import { readOwnFile } from '../../disk/own-file.ts'
import { replaceFile } from '../../disk/replace-file.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { HubConfig } from '../config/hub-config.ts'
import type { Listeners } from '../http/listeners.ts'
import { isSamePlace, placeInWords } from './handed-sockets.ts'

/** Listens on the configured host and port; `localhost` means each address of that name. Returns the address for clients on this host. */
export async function listen(listeners: Listeners, { host, port }: HubConfig): Promise<string> {
  try {
    const first = (await listeners.listen({ host, port })) as AddressInfo
    if (host === 'localhost') {
      for (const { address } of await lookup(host, { all: true })) {
        // This host may lack the address or its family; the first is enough.
        if (address !== first.address) await listeners.listen({ host: address, port: first.port }).catch(() => {})
      }
    }
    return localUrl(first)
  } catch (error) {
    throw cannotListen(error as NodeJS.ErrnoException, { host, port })
  }
}

/**
 * Listens on the sockets that systemd passed, whatever hub.json names, since systemd holds their ports. Returns the address for clients
 * on this host.
 */
export async function listenHanded(
  listeners: Listeners,
  descriptors: number[],
  { host, port }: HubConfig,
  log: Logger,
): Promise<string> {
  const addresses: AddressInfo[] = []
  for (const fd of descriptors) {
    const address = await listeners.listen({ fd }).catch(error => {
      throw new ClaudeNetError(
        'invalid',
        `systemd has handed over a socket (descriptor ${fd}) on which no connection can be taken: ${error.message}.`,
        'systemctl cat claude-net.socket shows its unit: each ListenStream is an address with a port.',
      )
    })
    if (typeof address === 'object') addresses.push(address)
  }
  const places = addresses.map(({ address, port }) => ({ host: address, port }))
  if (!places.some(place => isSamePlace({ host, port }, place))) {
    log.warn(
      { socket: places.map(placeInWords), hubJson: placeInWords({ host, port }) },
      'the hub listens where claude-net.socket says; hub.json says otherwise: run install-service again to write the unit anew',
    )
  }
  if (addresses[0]) return localUrl(addresses[0])
  throw new ClaudeNetError(
    'invalid',
    'systemd has handed over no socket with an address and a port.',
    'systemctl cat claude-net.socket shows its unit: it needs a line such as ListenStream=0.0.0.0:3500.',
  )
}

/** Explains why an address cannot be used; returns any other error unchanged. */
function cannotListen(error: NodeJS.ErrnoException, { host, port }: Pick<HubConfig, 'host' | 'port'>): Error {
  const anotherHost = 'Choose another with --host; 0.0.0.0 is all of them.'
  const whys: Record<string, [why: string, hint: string]> = {
    EADDRINUSE: [`Port ${port} of ${host} is taken.`, 'Another hub may be running. Choose another port with --port.'],
    EADDRNOTAVAIL: [`${host} is not an address of this host.`, anotherHost],
    ENOTFOUND: [`${host} is neither an address nor a name that this host can resolve.`, anotherHost],
    EACCES: [`This user may not listen on port ${port}.`, 'Choose one from 1024 on with --port.'],
  }
  const [why, hint] = whys[error.code ?? ''] ?? []
  return why && hint ? new ClaudeNetError('conflict', why, hint) : error
}

function localUrl({ address, family, port }: AddressInfo): string {
  if (address === '0.0.0.0') return `http://127.0.0.1:${port}`
  if (address === '::') return `http://[::1]:${port}`
  return family === 'IPv6' ? `http://[${address}]:${port}` : `http://${address}:${port}`
}

/** Writes the hub's address to `file`. On a full disk it removes an outdated address instead, and the hub still serves. */
export function writeUrl(file: string, url: string, log: Logger): void {
  const text = `${url}\n`
  try {
    if (readOwnFile(file) === text) return
  } catch {
    // The file is missing, or is something else, which is replaced.
  }
  try {
    replaceFile(file, text, 0o600)
  } catch (err) {
    rmSync(file, { force: true })
    log.error({ err }, 'the address of the hub cannot be written down; invite needs --url')
  }
}
