import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { replaceFile } from '../disk/replace-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { defaultHubBehindSsh, provenAddress } from '../protocol/hub-address.ts'
import { HubKey } from '../protocol/hub-key.ts'
import { Inbound } from '../protocol/members.ts'
import { MemberName } from '../protocol/names.ts'
import { noSshHost, SshHost } from '../protocol/ssh-host.ts'
import { parseToken } from '../protocol/token.ts'
import { homeDir } from './home-dir.ts'

/** Default address of the hub: the host's bridge address, as containers see it. */
const defaultHub = 'http://10.0.3.1:3500'

/** `config.json`. Unknown keys are preserved. */
const Config = z.looseObject({
  machine: MemberName,
  /** `local` for direct HTTP, otherwise the destination of ssh. */
  sshHost: z.union([z.literal(noSshHost), SshHost]).default(noSshHost),
  /** Time after which an idle ssh connection is closed, in s. */
  sshIdleS: z.int().min(1).optional(),
  /** The hub's address, as seen from `sshHost`: `http://HOST:PORT`, or `https://HOST` of a proxy in front of it. */
  hub: z.url({ protocol: /^https?$/ }).optional(),
  /** The key that the hub must prove before anything is sent to it. With it this machine uses TLS. */
  hubKey: HubKey.optional(),
  /** The other hubs over the same log, as that hub lists them; see client/hubs.ts. Invalid entries leave the own hub usable. */
  hubs: z.unknown().optional(),
  /** The machine's policy for messages; see client/policy.ts. An unknown word counts as `hold`: a typo must not let messages in. */
  inbound: Inbound.catch('hold').optional(),
  /** Senders whose messages are stored without an event. */
  mute: z.array(z.string()).optional(),
  /** Headless sessions (`claude -p`) are notified of messages and count as online, too. */
  headless: z.boolean().optional(),
  /** The project of each directory and everything below it; see client/project/. */
  projects: z.record(z.string(), z.string()).optional(),
  /** Whether the hub learns this machine's projects. Anything but a boolean counts as false. */
  shareProjects: z.boolean().catch(false).optional(),
  /** Whether others see what sessions here work on; see notice/activity.ts. Anything but a boolean counts as false. */
  shareActivity: z.boolean().catch(false).optional(),
})
export type Config = z.output<typeof Config>

/** Everything that a machine needs to call its hub. */
export interface Credentials {
  config: Config
  hub: URL
  token: string
}

/** The client's directory, `CLAUDE_NET_HOME` or `~/.claude-net`, and the paths in it. */
export class Home {
  readonly dir: string

  constructor(dir = homeDir()) {
    this.dir = dir
  }

  get configFile(): string {
    return join(this.dir, 'config.json')
  }

  get tokenFile(): string {
    return join(this.dir, 'token')
  }

  /** The client's program, as downloaded from the hub. */
  get clientFile(): string {
    return join(this.dir, 'claude-net.mjs')
  }

  get launcher(): string {
    return join(this.dir, 'bin', 'claude-net')
  }

  get outboxDir(): string {
    return join(this.dir, 'outbox')
  }

  /** Full texts of messages that were too long to show. */
  get inboxDir(): string {
    return join(this.dir, 'inbox')
  }

  /** Locks, sockets and other transient files. */
  get runDir(): string {
    return join(this.dir, 'run')
  }

  /** Makes the directory (0700). Throws `invalid` if it cannot be made. */
  make(): void {
    try {
      mkdirSync(this.dir, { recursive: true, mode: 0o700 })
      chmodSync(this.dir, 0o700)
    } catch (error) {
      throw new ClaudeNetError(
        'invalid',
        `${this.dir} cannot be made (${(error as NodeJS.ErrnoException).code}).`,
        'Set CLAUDE_NET_HOME to a directory that this user may write.',
      )
    }
  }

  /** Removes the files of join and the client, and the directory if it is then empty. Returns whether the directory is gone. */
  remove(): boolean {
    const ours =
      /^((config\.json|token(\.joining-[0-9a-f]+|\.next-[0-9A-Za-z]{8}|\.before)?)(\.\d+\.new)?|claude-net(\.next|\.previous)?\.mjs(\.new)?|projects\.json(\.lock)?|bin|outbox|inbox|run)$/
    for (const entry of readdirSync(this.dir)) {
      if (ours.test(entry)) rmSync(join(this.dir, entry), { recursive: true, maxRetries: 3 })
    }
    // A symbolic link belongs to the user, and so does its target.
    if (readdirSync(this.dir).length > 0 || lstatSync(this.dir).isSymbolicLink()) return false
    rmdirSync(this.dir)
    return true
  }

  /** Reads config.json. Returns undefined if there is none. Throws `invalid`, naming the key, if it is malformed. */
  readConfig(): Config | undefined {
    const text = readIfThere(this.configFile)
    if (text === undefined) return undefined
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch (error) {
      throw new ClaudeNetError(
        'invalid',
        `${this.configFile} is not JSON: ${(error as Error).message}`,
        'Correct or remove it.',
      )
    }
    const result = Config.safeParse(json)
    if (result.success) return result.data
    const [issue] = result.error.issues
    throw new ClaudeNetError(
      'invalid',
      `${this.configFile}: ${issue?.path.join('.') || 'top level'}: ${issue?.message}`,
      'Correct it, or join again.',
    )
  }

  /** Merges `changes` into config.json, so that keys of other versions stay. */
  writeConfig(changes: Partial<Config>): void {
    const before = readIfThere(this.configFile)
    const kept = before === undefined ? {} : (JSON.parse(before) as object)
    replaceFile(this.configFile, `${JSON.stringify({ ...kept, ...changes }, null, 2)}\n`, 0o600)
  }

  writeToken(token: string): void {
    replaceFile(this.tokenFile, `${token}\n`, 0o600)
  }

  /** Returns everything needed to call the hub. Throws an error with a hint how to get what is missing. */
  credentials(): Credentials {
    const config = this.readConfig()
    const token = config && this.#readToken()
    if (!config || !token) {
      throw new ClaudeNetError(
        'unauthorized',
        `This machine has not joined a hub (no ${config ? 'token' : 'config.json'} in ${this.dir}).`,
        `Ask the admin for: claude-net invite ${config?.machine ?? 'NAME'}`,
      )
    }
    return { config, hub: hubOf(config), token }
  }

  /** Reads the token. Refuses a file that others could have read or written. */
  #readToken(): string | undefined {
    let stats: ReturnType<typeof lstatSync>
    try {
      stats = lstatSync(this.tokenFile)
    } catch {
      return undefined
    }
    const uid = process.getuid?.()
    const why = !stats.isFile()
      ? 'is not a plain file'
      : uid !== undefined && stats.uid !== uid
        ? 'belongs to another user'
        : stats.mode & 0o077 && process.platform !== 'win32'
          ? 'can be read by others'
          : undefined
    if (why) {
      throw new ClaudeNetError(
        'forbidden',
        `${this.tokenFile} ${why}, so it is not used.`,
        why.startsWith('can') ? `If you still trust it: chmod 600 ${this.tokenFile}` : 'Remove it and join again.',
      )
    }
    const token = readFileSync(this.tokenFile, 'utf8').trim()
    if (parseToken(token)) return token
    throw new ClaudeNetError('invalid', `${this.tokenFile} contains no Claude Net token.`, 'Remove it and join again.')
  }
}

/** Returns the address of a configuration's hub, as seen from its `sshHost`; an https URL if its key is known. */
export function hubOf({ hub, hubKey, sshHost }: Pick<Config, 'hub' | 'hubKey' | 'sshHost'>): URL {
  const address = new URL(hub ?? (sshHost === noSshHost ? defaultHub : defaultHubBehindSsh))
  return hubKey === undefined ? address : provenAddress(address)
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
