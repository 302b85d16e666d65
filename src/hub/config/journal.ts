import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import * as z from 'zod'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { isLoopback } from '../../protocol/hub-address.ts'
import type { EtcdAccess } from '../journal/etcd/gateway.ts'

/** Port of etcd's clients, where an endpoint names none (https://etcd.io/docs/v3.5/op-guide/configuration). */
const etcdPort = 2379

/** The field `journal` of hub.json: the log in etcd over which this hub shares its history with others. */
export const JournalField = z
  .strictObject({
    /** `https://host:port` of each node of etcd, or `http://` where that is allowed. */
    endpoints: z.array(z.url({ protocol: /^https?$/ })).min(1),
    /** Names the history in etcd: several organizations may share a cluster. */
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
      .default('main'),
    /** Time this hub serves reads, marked as stale, while it is cut off from the log, in seconds; 0 disables them. */
    staleReadsS: z.number().int().min(0).max(3600).default(10),
    /** PEM files, relative to hub.json: the authority of the nodes' certificates, and this hub's own certificate and key. */
    tls: z
      .strictObject({ ca: z.string().optional(), cert: z.string().optional(), key: z.string().optional() })
      .optional(),
    /** A directory with backups of other hubs of this log, relative to hub.json: a hub that needs a snapshot looks there first. */
    snapshots: z.string().min(1).optional(),
    /** A user of etcd, and the file with its password, relative to hub.json. */
    user: z.strictObject({ name: z.string().min(1), passwordFile: z.string().min(1) }).optional(),
  })
  .optional()

export type JournalSettings = NonNullable<z.output<typeof JournalField>>

/** Returns the name of a hub for which hub.json gives none: this host's name, reduced to the allowed characters. */
export function defaultHubName(host = hostname()): string {
  const fitting = host
    .split('.')[0]!
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replace(/^-|-$/g, '')
  return fitting === '' ? 'hub' : fitting
}

/** Parses `etcd://h1:2379,h2` into settings: `https` with TLS files, `http` without. Throws `invalid`. */
export function journalOfUrl(url: string, tls?: JournalSettings['tls']): JournalSettings {
  const [, hosts, , name] = /^etcd:\/\/([^/]+)(\/([^/]+))?$/.exec(url) ?? []
  const scheme = tls ? 'https' : 'http'
  const parsed = JournalField.safeParse({
    endpoints: (hosts ?? '').split(',').map(host => `${scheme}://${/:\d+$/.test(host) ? host : `${host}:${etcdPort}`}`),
    ...(name !== undefined && { name }),
    ...(tls && { tls }),
  })
  if (hosts !== undefined && parsed.success) return parsed.data!
  throw new ClaudeNetError(
    'invalid',
    `${url} is not the address of a log.`,
    'It looks like etcd://h1:2379,h2:2379,h3:2379, with /NAME behind it where the history is not called main.',
  )
}

/** Throws `invalid` for an endpoint without TLS beyond this host: anyone who reaches etcd can write messages as any member. */
export function expectSafeEndpoints({ endpoints }: JournalSettings, allowPlainEtcd: boolean): void {
  const plain = endpoints.find(endpoint => {
    const url = new URL(endpoint)
    return url.protocol === 'http:' && !isLoopback(url)
  })
  if (plain === undefined || allowPlainEtcd) return
  throw new ClaudeNetError(
    'invalid',
    `${plain} would transfer all messages unencrypted, and anyone who reaches it can write messages as any member.`,
    'Give etcd TLS and name https endpoints, or allow it in a network of your own with "allowPlainEtcd": true in hub.json.',
  )
}

/** Reads the files that the gateway needs. Throws `invalid` for one that is unreadable or malformed. */
export function etcdAccess({ endpoints, tls, user }: Pick<JournalSettings, 'endpoints' | 'tls' | 'user'>): EtcdAccess {
  return {
    endpoints,
    ...(tls && { tls: tlsOf(tls) }),
    ...(user && {
      user: { name: user.name, password: read('user.passwordFile', user.passwordFile).toString('utf8').trim() },
    }),
  }
}

function tlsOf({ ca, cert, key }: NonNullable<JournalSettings['tls']>): EtcdAccess['tls'] {
  if ((cert === undefined) !== (key === undefined)) {
    const [there, missing] = cert === undefined ? ['key', 'cert'] : ['cert', 'key']
    throw new ClaudeNetError(
      'invalid',
      `journal.tls in hub.json has ${there} and no ${missing}.`,
      'A hub proves itself to etcd with both: a certificate and the key of it.',
    )
  }
  const authority = ca === undefined ? undefined : pem('tls.ca', ca, 'certificate', bytes => new X509Certificate(bytes))
  if (cert === undefined || key === undefined) return authority && { ca: authority.bytes }
  const own = pem('tls.cert', cert, 'certificate', bytes => new X509Certificate(bytes))
  const secret = pem('tls.key', key, 'private key', bytes => createPrivateKey(bytes))
  if (!own.read.checkPrivateKey(secret.read)) {
    throw new ClaudeNetError(
      'invalid',
      `journal.tls in hub.json: ${key} is not the key of the certificate in ${cert}.`,
      'Name a cert and the key of it.',
    )
  }
  return { ...(authority && { ca: authority.bytes }), cert: own.bytes, key: secret.bytes }
}

function pem<T>(field: string, path: string, what: string, parse: (bytes: Buffer) => T): { bytes: Buffer; read: T } {
  const bytes = read(field, path)
  try {
    return { bytes, read: parse(bytes) }
  } catch (error) {
    throw new ClaudeNetError(
      'invalid',
      `journal.${field} in hub.json: ${path} has no ${what} in PEM: ${(error as Error).message}`,
      `Name a file that begins with -----BEGIN ${what.toUpperCase()}-----, and is not encrypted.`,
    )
  }
}

function read(field: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new ClaudeNetError(
      'invalid',
      `journal.${field} in hub.json: ${path} cannot be read: ${(error as Error).message}`,
      'Paths are relative to hub.json. The user that runs the hub has to be allowed to read the file.',
    )
  }
}
