import { accessSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { HubClient } from '../client/hub-client.ts'
import { DirectTransport } from '../client/transport/direct.ts'
import { readOwnFile } from '../disk/own-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { hubAddress } from './hub-address.ts'

/** Where the service keeps its store. */
const serviceData = '/var/lib/claude-net'

export interface AdminOptions {
  data?: string
  hub?: string
  tokenFile?: string
  json?: boolean
}

/** The options of every command for an admin. */
export function withAdminOptions(command: Command): Command {
  return command
    .option('--data <dir>', `data directory of a hub on this host (default ${serviceData}, then ./data)`)
    .option('--hub <url>', 'address of a hub elsewhere, with --token-file')
    .option('--token-file <file>', "file with the admin's token")
    .option('--json', 'print JSON')
}

/** A client with the admin's token: of the hub running on `--data`, or of `--hub` with `--token-file`. */
export function adminClient(
  { data, hub, tokenFile }: AdminOptions,
  timeoutMs?: number,
): { client: HubClient; url: URL } {
  const dir = data ?? [serviceData, './data'].find(hasStore) ?? serviceData
  const url =
    hub === undefined
      ? new URL(
          read(
            join(dir, 'hub.url'),
            dir === serviceData && data === undefined
              ? 'Does the service run? systemctl status claude-net says more. Name another directory with --data DIR.'
              : `Is a hub running on ${dir}? Name its directory with --data DIR.`,
          ),
        )
      : hubAddress(hub, '--hub')
  const userHint = 'Run this as the user of the hub, or give --token-file FILE.'
  const token =
    tokenFile === undefined
      ? read(join(dir, 'admin.token'), userHint)
      : read(tokenFile, userHint, path => readFileSync(path, 'utf8'))
  return { client: new HubClient({ transport: new DirectTransport(url), token, timeoutMs }), url }
}

/** Runs `work` with an admin's client, and closes it. `timeoutMs` is for what takes the hub longer than usual. */
export async function asAdmin(
  options: AdminOptions,
  work: (client: HubClient, url: URL) => Promise<void>,
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

/** The directory of a hub belongs to the hub's user, who may have put a link there: only a file that was named is read through one. */
function read(path: string, hint: string, readText: (path: string) => string = readOwnFile): string {
  try {
    return readText(path).trim()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOTOWN') {
      throw new ClaudeNetError(
        'forbidden',
        `${path} is not read: ${message}.`,
        'Whoever owns that directory may have put it there. Look at it, and remove it.',
      )
    }
    if (code === 'EACCES') {
      throw new ClaudeNetError(
        'forbidden',
        `${path} is not for this user to read.`,
        'Only root and the user of the hub may: run it with sudo.',
      )
    }
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`
    throw new ClaudeNetError('not_found', `${path} ${why}.`, hint)
  }
}
