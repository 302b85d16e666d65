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

/** Where the hub answers when config.json does not say: the host's bridge address, as containers see it. */
const defaultHub = 'http://10.0.3.1:3500'

/** `config.json`. Keys that this version does not know are kept as they are. */
const Config = z.looseObject({
  machine: MemberName,
  /** `local` for direct HTTP, otherwise where ssh goes. */
  sshHost: z.union([z.literal(noSshHost), SshHost]).default(noSshHost),
  /** How long the ssh connection stays when nobody uses it, in s. */
  sshIdleS: z.int().min(1).optional(),
  /** The hub's address, as seen from `sshHost`: `http://HOST:PORT`, or `https://HOST` of a proxy in front of it. */
  hub: z.url({ protocol: /^https?$/ }).optional(),
  /** The key that the hub must prove before it is sent anything; with it this machine speaks TLS. */
  hubKey: HubKey.optional(),
  /** The other hubs over the log of that one, as it told; see client/hubs.ts. A mistake in it does not keep the machine from its own. */
  hubs: z.unknown().optional(),
  /** What this machine does with mail; see client/policy.ts. A word that is none of these must not let mail in: it is `hold`. */
  inbound: Inbound.catch('hold').optional(),
  /** Whose mail is stored without anybody being told. */
  mute: z.array(z.string()).optional(),
  /** Runs that nobody sits before (`claude -p`) are told of mail and count as present, too. */
  headless: z.boolean().optional(),
  /** The project of a directory and of all below it; see client/project/. */
  projects: z.record(z.string(), z.string()).optional(),
  /** Anything but true says nothing of this machine's projects to the hub. */
  shareProjects: z.boolean().catch(false).optional(),
  /** Whether others see what sessions here work on; see notice/activity.ts. Any other word is a no. */
  shareActivity: z.boolean().catch(false).optional(),
})
export type Config = z.output<typeof Config>

/** What a machine needs to speak with its hub. */
export interface Credentials {
  config: Config
  hub: URL
  token: string
}

/** The directory of the machine's side, `CLAUDE_NET_HOME` or `~/.claude-net`, and the paths in it. */
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

  /** The client itself, as the hub gave it. */
  get clientFile(): string {
    return join(this.dir, 'claude-net.mjs')
  }

  get launcher(): string {
    return join(this.dir, 'bin', 'claude-net')
  }

  get outboxDir(): string {
    return join(this.dir, 'outbox')
  }

  /** Whole texts of messages that were too long to show. */
  get inboxDir(): string {
    return join(this.dir, 'inbox')
  }

  /** Locks and other things of the moment. */
  get runDir(): string {
    return join(this.dir, 'run')
  }

  /** Makes the directory (0700). Throws `invalid` where this user may not. */
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

  /** Removes what join and the client made here, and the directory if nothing else is in it. Answers whether that is gone. */
  remove(): boolean {
    const ours =
      /^((config\.json|token(\.joining-[0-9a-f]+|\.next-[0-9A-Za-z]{8}|\.before)?)(\.\d+\.new)?|claude-net(\.next|\.previous)?\.mjs(\.new)?|projects\.json(\.lock)?|bin|outbox|inbox|run)$/
    for (const entry of readdirSync(this.dir)) {
      if (ours.test(entry)) rmSync(join(this.dir, entry), { recursive: true, maxRetries: 3 })
    }
    // A link is the user's own, and so is what it leads to.
    if (readdirSync(this.dir).length > 0 || lstatSync(this.dir).isSymbolicLink()) return false
    rmdirSync(this.dir)
    return true
  }

  /** Reads config.json. Undefined when there is none; throws `invalid` when it is broken, naming the key. */
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
        'Mend or remove it.',
      )
    }
    const result = Config.safeParse(json)
    if (result.success) return result.data
    const [issue] = result.error.issues
    throw new ClaudeNetError(
      'invalid',
      `${this.configFile}: ${issue?.path.join('.') || 'top level'}: ${issue?.message}`,
      'Mend it, or join again.',
    )
  }

  /** Writes config.json: `changes` over what is there, so that keys of other versions stay. */
  writeConfig(changes: Partial<Config>): void {
    const before = readIfThere(this.configFile)
    const kept = before === undefined ? {} : (JSON.parse(before) as object)
    replaceFile(this.configFile, `${JSON.stringify({ ...kept, ...changes }, null, 2)}\n`, 0o600)
  }

  writeToken(token: string): void {
    replaceFile(this.tokenFile, `${token}\n`, 0o600)
  }

  /** Everything needed to speak with the hub. Throws with the way to get what is missing. */
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

  /** Reads the token. Refuses a file that others could have read or put there. */
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
        why.startsWith('can') ? `If you trust it still: chmod 600 ${this.tokenFile}` : 'Remove it and join again.',
      )
    }
    const token = readFileSync(this.tokenFile, 'utf8').trim()
    if (parseToken(token)) return token
    throw new ClaudeNetError('invalid', `${this.tokenFile} holds no Claude Net token.`, 'Remove it and join again.')
  }
}

/** The address of the hub of a configuration, as seen from its `sshHost`; by TLS where its key is known. */
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
