import { accessSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { HubClient } from '../client/hub-client.ts'
import { DirectTransport } from '../client/transport/direct.ts'
import { readOwnFile } from '../disk/own-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { provenAddress } from '../protocol/hub-address.ts'
import { HubKey } from '../protocol/hub-key.ts'
import { AdminSocket } from './admin-socket.ts'
import { hubAddress } from './hub-address.ts'
import { UsageError } from './usage-error.ts'

/** File in the data directory in which a running hub writes its address. */
const hubUrlFile = 'hub.url'

/** Data directory of the service. */
export const serviceData = '/var/lib/claude-net'

export interface AdminOptions {
  data?: string
  hub?: string
  hubKey?: string
  tokenFile?: string
  json?: boolean
}

/** Adds the options of every command for an admin. */
export function withAdminOptions(command: Command): Command {
  return command
    .option('--data <dir>', `Data directory of a hub on this host (default ${serviceData}, then ./data)`)
    .option('--hub <url>', 'Address of a hub on another host; requires --token-file')
    .option(
      '--hub-key <key>',
      'With --hub: key (sha256//…) that the hub must prove over TLS before it is sent anything',
    )
    .option('--token-file <file>', "With --hub: file that contains the admin's token")
    .option('--json', 'Print JSON')
}

/**
 * Returns a client that acts as the admin: over the socket of the hub running on `--data`, or with `--token-file` to `--hub`. `url` is
 * where that hub listens, undefined where it could not write that down.
 */
export function adminClient(options: AdminOptions, timeoutMs?: number): { client: HubClient; url: URL | undefined } {
  const { data, hub, tokenFile } = options
  if ((hub === undefined) !== (tokenFile === undefined)) {
    throw new UsageError(
      '--hub and --token-file go together.',
      'On the host of the hub neither is needed: its commands go over a socket in the data directory.',
    )
  }
  if (hub !== undefined) {
    const key = HubKey.optional().safeParse(options.hubKey)
    if (!key.success)
      throw new UsageError(`--hub-key: ${key.error.issues[0]!.message}.`, 'claude-net status prints it.')
    const url = key.data ? provenAddress(hubAddress(hub, '--hub')) : hubAddress(hub, '--hub')
    const token = read(tokenFile!, 'Name a file that this user can read.')
    return { client: new HubClient({ transport: new DirectTransport(url, key.data), token, timeoutMs }), url }
  }
  const dir = data ?? [serviceData, './data'].find(hasStore) ?? serviceData
  const isService = dir === serviceData && data === undefined
  const transport = new AdminSocket(dir, {
    missingHint: isService
      ? 'Does the service run? systemctl status claude-net says more. Name another directory with --data DIR.'
      : `Is a hub running on ${dir}? Name its directory with --data DIR.`,
    urlFile: join(dir, hubUrlFile),
  })
  return { client: new HubClient({ transport, timeoutMs }), url: urlIn(join(dir, hubUrlFile)) }
}

/** Runs `work` with an admin's client, and closes it. `timeoutMs` is for what takes the hub longer than usual. */
export async function asAdmin(
  options: AdminOptions,
  work: (client: HubClient, url: URL | undefined) => Promise<void>,
  timeoutMs?: number,
): Promise<void> {
  const { client, url } = adminClient(options, timeoutMs)
  try {
    await work(client, url)
  } finally {
    client.close()
  }
}

/** Whether a hub has its store there; also where only root and the hub's own user may look. */
function hasStore(dir: string): boolean {
  try {
    accessSync(join(dir, 'admin.token'))
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES'
  }
}

function read(path: string, hint: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES') {
      throw new ClaudeNetError(
        'forbidden',
        `${path} is not for this user to read.`,
        'Only root and the user of the hub may: run it with sudo.',
      )
    }
    throw new ClaudeNetError(
      'not_found',
      `${path} ${code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`}.`,
      hint,
    )
  }
}

/** Returns a hub's address from the file in its directory. A file that the directory's owner does not own is ignored. */
function urlIn(path: string): URL | undefined {
  try {
    return new URL(readOwnFile(path).trim())
  } catch {
    return undefined
  }
}
