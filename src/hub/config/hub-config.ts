import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import * as z from 'zod'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { bareName, hostNameOf } from '../../protocol/hub-address.ts'
import { HubName, HubSsh } from '../../protocol/hubs.ts'
import { backupFolder } from '../state/store/backup-names.ts'
import { BackupField, type BackupSettings } from './backup.ts'
import { doorFields } from './door.ts'
import { configErrors } from './field-errors.ts'
import { defaultHubName, expectSafeEndpoints, JournalField, type JournalSettings, journalOfUrl } from './journal.ts'
import { TelegramSettings, tokenFileOf } from './telegram.ts'

/** Schema of hub.json, whose fields flags may replace. Every field has a default. */
const HubFile = z.strictObject({
  /** Address to listen on. */
  host: z.string().default('0.0.0.0'),
  /** TCP port; 0 lets the system choose. */
  port: z.number().int().min(0).max(65535).default(3500),
  /** Directory of the store, made with mode 0700. */
  data: z.string().default('./data'),
  /** Host names that requests may name, besides IP literals and localhost. */
  hosts: z.array(z.string().transform(bareName)).default([]),
  ...doorFields,
  /** A certificate and its key, in PEM; paths relative to hub.json. Without it the hub uses a self-signed certificate. */
  tls: z.strictObject({ certFile: z.string().min(1), keyFile: z.string().min(1) }).optional(),
  /** The log in etcd that this hub shares with others; without it the hub stands alone. */
  journal: JournalField,
  /** Name of this hub, unique among those that share its log. */
  hubName: HubName.default(defaultHubName),
  /** Address for machines that connect through ssh: `USER@HOST:PORT`. */
  ssh: HubSsh.optional(),
  /** Allows etcd without TLS beyond this host. */
  allowPlainEtcd: z.boolean().default(false),
  /** Interval, directory and retention of scheduled backups. */
  backup: BackupField,
  /** The bot through which people are reached; without it there is none. */
  telegram: TelegramSettings.optional(),
  logLevel: z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
})

export type HubConfig = z.output<typeof HubFile> & {
  /** Path of the file with the bot's token. */
  telegramTokenFile?: string
}
export type HubFlags = Partial<Pick<HubConfig, 'host' | 'port' | 'data' | 'logLevel' | 'hubName'>> & {
  config?: string
  /** `etcd://HOST:PORT,…/NAME`, in place of the endpoints and the name in hub.json. */
  journal?: string
}

/** Returns the defaults, overridden by the file, overridden by flags. Throws `invalid`, which names every wrong field with its line. */
export function readHubConfig({ config: path, journal: journalUrl, ...flags }: HubFlags): HubConfig {
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
  const file = path === undefined ? undefined : readJson(path)
  const result = HubFile.safeParse({ ...file?.read, ...given })
  if (result.success) {
    const { telegram, tls, allowPlainEtcd } = result.data
    const telegramTokenFile = telegram && tokenFileOf(telegram, path)
    const near = (file: string) => resolve(path === undefined ? '.' : dirname(path), file)
    const files = tls && { certFile: near(tls.certFile), keyFile: near(tls.keyFile) }
    const hosts = [...result.data.hosts, ...namesIn(result.data.url)]
    const journal = journalFrom(result.data.journal, journalUrl, near)
    if (journal) expectSafeEndpoints(journal, allowPlainEtcd)
    return { ...result.data, hosts, data: resolve(result.data.data), tls: files, journal, telegramTokenFile }
  }
  const errors = configErrors(HubFile, result.error, file?.text).map(({ line, field, message }) =>
    [...(line === undefined ? [] : [`line ${line}`]), ...(field === '' ? [] : [field]), message].join(': '),
  )
  const name = path ?? 'The configuration'
  throw new ClaudeNetError(
    'invalid',
    errors.length === 1
      ? `${name}: ${errors[0]}`
      : `${name} has ${errors.length} errors:\n${errors.map(text => `  ${text}`).join('\n')}`,
    'docs/operations.md lists every field.',
  )
}

/** Returns the log that hub.json or a flag names, with paths resolved by `near`. Throws `invalid`. */
function journalFrom(
  inFile: JournalSettings | undefined,
  url: string | undefined,
  near: (file: string) => string,
): JournalSettings | undefined {
  const journal = url === undefined ? inFile : { ...inFile, ...journalOfUrl(url, inFile?.tls) }
  if (!journal) return undefined
  const { tls, user, snapshots } = journal
  return {
    ...journal,
    ...(snapshots !== undefined && { snapshots: near(snapshots) }),
    ...(tls && { tls: mapValues(tls, near) }),
    ...(user && { user: { ...user, passwordFile: near(user.passwordFile) } }),
  }
}

function mapValues<T extends Record<string, string | undefined>>(object: T, change: (value: string) => string): T {
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [key, value === undefined ? undefined : change(value)]),
  ) as T
}

/** Returns the host name in `url`, which requests may name too. */
function namesIn(url: string | undefined): string[] {
  const name = url === undefined ? undefined : hostNameOf(new URL(url).host)
  return name === undefined ? [] : [name]
}

/** Returns the backup settings. A relative `dir` or `logTo` is relative to the data directory. */
export function backupSettings({ backup, data }: HubConfig): BackupSettings {
  const { dir = backupFolder, ...rest } = backup ?? { ...BackupField.parse({})!, everyHours: null }
  return { ...rest, dir: resolve(data, dir), logTo: rest.logTo && resolve(data, rest.logTo) }
}

function readJson(path: string): { read: object; text: string } {
  const object = 'It must be a JSON object.'
  let read: unknown
  let text: string
  try {
    text = readFileSync(path, 'utf8')
    read = JSON.parse(text)
  } catch (error) {
    throw new ClaudeNetError('invalid', `${path} cannot be read: ${(error as Error).message}`, object)
  }
  if (read instanceof Object && !Array.isArray(read)) return { read, text }
  throw new ClaudeNetError('invalid', `${path} holds something else than settings.`, object)
}
