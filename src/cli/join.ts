import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import { type HttpCommands, httpCommands } from '../claude/http-server.ts'
import { runningSessions } from '../claude/sessions.ts'
import { findClaude, plannedChanges, register } from '../claude/settings.ts'
import { Home, hubOf } from '../client/home.ts'
import { HubClient } from '../client/hub-client.ts'
import { hubsOf } from '../client/hubs.ts'
import { openMachine } from '../client/machine.ts'
import { openTransport, type WayToHub } from '../client/transport/open.ts'
import { replaceFile } from '../disk/replace-file.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { defaultHubBehindSsh, plainAddress, provenAddress } from '../protocol/hub-address.ts'
import { HubKey } from '../protocol/hub-key.ts'
import { MemberName } from '../protocol/names.ts'
import { noSshHost, SshHost } from '../protocol/ssh-host.ts'
import { mintToken, parseToken, type Role } from '../protocol/token.ts'
import { visibleLine } from '../text/visible.ts'
import { agreed, terminalOf } from './agree.ts'
import { diagnose, joinAgain, report } from './diagnose.ts'
import { hubAddress } from './hub-address.ts'
import { defaultBinDir, installClient, linkLauncher } from './launcher.ts'
import { UsageError } from './usage-error.ts'

/** Time that a join waits for another process that changes the token, in ms. */
const joinWaitMs = 10_000

interface JoinOptions {
  machine: string
  hub?: string
  hubKey?: string
  code?: string
  codeStdin?: boolean
  human?: boolean
  claude: boolean
  http?: boolean
  yes?: boolean
  bin?: string
  json?: boolean
}

export function joinCommand(): Command {
  return new Command('join')
    .description('Make this machine a member; run by the join line of an invitation')
    .argument('<url>', 'Address of the hub: http://HOST:PORT, https://HOST, or ssh:HOST to reach it through ssh')
    .requiredOption('--machine <name>', 'Name that was invited')
    .option('--code <code>', 'One-time code; not needed to repeat the setup of a machine that has joined')
    .option('--code-stdin', 'Read the code from standard input, so that it does not appear in the list of processes')
    .option('--hub <url>', `With ssh:HOST: address of the hub as seen from HOST (default ${defaultHubBehindSsh})`)
    .option('--hub-key <key>', 'Key (sha256//…) that the hub must prove over TLS before it is sent anything')
    .option('--human', 'Join as a person')
    .option('--no-claude', "Do not change Claude Code's settings")
    .option('--http', 'Print how to connect Claude Code to the hub over HTTP, instead of registering a local process')
    .option('--yes', "Change Claude Code's settings without asking for confirmation")
    .option('--bin <dir>', 'Directory for the link to the command (default ~/.local/bin, for root /usr/local/bin)')
    .option('--json', 'Print JSON')
    .action(async (address: string, options: JoinOptions) => {
      const say = options.json ? () => {} : (words: string) => process.stdout.write(`${words}\n`)
      const home = new Home()
      const way = wayToHub(home, address, options)
      if (options.http && way.sshHost !== noSshHost) {
        throw new UsageError('Claude Code reaches no hub through ssh by itself.', 'Join without --http.')
      }
      home.make()
      // Settings that cannot be read fail here, before the code is used, so that the same line works once they are repaired.
      const notWritable = new Map<string, string>()
      const offers = options.claude && !options.http
      const claude = offers ? findClaude() : undefined
      for (const { file, why } of claude ? plannedChanges(claude, home.launcher) : [])
        if (why !== undefined) notWritable.set(file, why)
      for (const [file, why] of notWritable)
        say(`Note: ${file} cannot be written (${why}). What belongs there is printed below.`)
      const code = await codeOf(options)
      const name =
        code === undefined ? await joinedName(home, way, options) : await exchangeCode(home, way, code, options)
      // Removes the hubs of the history that was joined before.
      home.writeConfig({ machine: name, sshHost: way.sshHost, hub: way.hub.origin, hubKey: way.pin, hubs: undefined })
      const others = await takeHubs(home)
      installClient(home)
      const linkNote = linkLauncher(home, options.bin ?? defaultBinDir())
      say(`This machine is ${name} on the hub at ${hubInWords(way)}. Everything is in ${home.dir}.`)
      if (others) say(others)
      if (linkNote) say(`Note: ${linkNote}.`)

      const isRegistered = offers ? await offerRegistration(home, options, say) : false
      const http = options.http ? httpCommands(addressForClaude(way), home.tokenFile) : undefined
      if (http) say(howToUseHttp(http, way))
      const checks = (await diagnose(home)).filter(({ link }) => !http || link !== 'claude')
      say(`\n${report(checks)}`)
      const sessions = isRegistered ? runningSessions() : []
      if (sessions.length > 0) {
        say('\nThese Claude Code sessions run already; restart them to let them use Claude Net:')
        for (const { pid, cwd } of sessions) say(`  process ${pid}${cwd ? ` in ${visibleLine(cwd, 200)}` : ''}`)
      }
      if (options.json)
        process.stdout.write(
          `${JSON.stringify({ name, hub: way.hub.origin, hubKey: way.pin, sshHost: way.sshHost, home: home.dir, checks, sessions, http })}\n`,
        )
      if (checks.some(({ state }) => state === 'failed')) process.exitCode = 1
    })
}

/** Takes over which other hubs there are over the same log, and says so. Sessions try again what fails here. */
async function takeHubs(home: Home): Promise<string | undefined> {
  const { client, transport } = openMachine(home)
  try {
    const { refreshHubs } = await import('../client/refresh-hubs.ts')
    if (!(await refreshHubs(home, client, () => transport.way))) return undefined
    const [, ...others] = hubsOf(home.credentials().config).ways
    return `While that hub is away this machine goes to ${others.map(({ hub }) => hub.origin).join(' or ')}.`
  } catch (error) {
    if (error instanceof ClaudeNetError) return undefined
    throw error
  } finally {
    client.close()
  }
}

/** Address of the hub, the way to it, and the key that it has to prove. */
interface Way extends WayToHub {
  pin: HubKey | undefined
}

/** The way that the first argument, `--hub` and `--hub-key` name. A key that is pinned for the same way stays without being named. */
function wayToHub(home: Home, address: string, options: JoinOptions): Way {
  const key = HubKey.optional().safeParse(options.hubKey)
  if (!key.success) throw new UsageError(`--hub-key: ${key.error.issues[0]!.message}.`, 'Use the one of the join line.')
  const way = addressOf(address, options, key.data !== undefined)
  const pin = key.data ?? pinnedFor(home, way)
  return { ...way, hub: pin === undefined ? way.hub : provenAddress(way.hub), runDir: home.runDir, pin }
}

/** The key that config.json has for this hub, so that joining anew does not give up what was proven. */
function pinnedFor(home: Home, { hub, sshHost }: Pick<WayToHub, 'hub' | 'sshHost'>): HubKey | undefined {
  const config = home.readConfig()
  if (config?.hubKey === undefined || config.sshHost !== sshHost) return undefined
  return hubOf(config).host === provenAddress(hub).host ? config.hubKey : undefined
}

function addressOf(address: string, { hub }: JoinOptions, hasKey: boolean): Pick<WayToHub, 'hub' | 'sshHost'> {
  const [isSsh, name] = /^ssh:(.*)$/s.exec(address) ?? []
  if (isSsh === undefined) {
    if (hub === undefined) return { hub: hubAddress(address), sshHost: noSshHost }
    throw new UsageError('--hub goes with ssh:HOST.', `Without ssh: claude-net join ${hub} …`)
  }
  const host = SshHost.safeParse(name)
  const behind = hub === undefined ? new URL(defaultHubBehindSsh) : hubAddress(hub, '--hub')
  if (behind.protocol !== 'http:' && !hasKey)
    throw new UsageError(
      '--hub: ssh encrypts already.',
      'Use http://HOST:PORT, or name the key of the hub with --hub-key.',
    )
  if (host.success) return { hub: behind, sshHost: host.data }
  throw new UsageError(
    `'${visibleLine(address, 100)}': ${host.error.issues[0]!.message}.`,
    'It looks like ssh:ovh5, or ssh:me@ovh5.example.com',
  )
}

/** The code as it was given, on the command line or on the first line of standard input; undefined without one. */
async function codeOf({ code, codeStdin }: JoinOptions): Promise<string | undefined> {
  if (!codeStdin) return code
  const [line = ''] = (await text(process.stdin)).split('\n')
  if (code === undefined && line.trim() !== '') return line.trim()
  throw new UsageError(
    code === undefined ? 'No code came on standard input.' : '--code and --code-stdin exclude each other.',
    'The join line of an invite hands the code on: claude-net invite NAME',
  )
}

function hubInWords({ hub, sshHost }: WayToHub): string {
  return sshHost === noSshHost ? hub.origin : `${hub.origin} through ${sshHost}`
}

/**
 * Exchanges the code for a token and keeps it. The token is on disk before the hub hears of it, and becomes the machine's
 * token once the hub has said yes: cut off at any point, the same command finishes the work, and a wrong code costs nothing.
 */
async function exchangeCode(home: Home, way: WayToHub, code: string, { machine, human }: JoinOptions): Promise<string> {
  const name = MemberName.safeParse(machine)
  if (!name.success) throw new UsageError(`--machine: ${name.error.issues[0]!.message}`, 'Use the name of the invite.')
  const role: Role = human ? 'human' : 'machine'
  // Fails here, before the code is used, if config.json cannot be read.
  home.readConfig()
  // Named after this code, since a token of another exchange must not be used for it.
  const exchange = createHash('sha256')
    .update(`${hubInWords(way)} ${code}`)
    .digest('hex')
    .slice(0, 12)
  const minted = `${home.tokenFile}.joining-${exchange}`
  const earlier = existsSync(minted) ? readFileSync(minted, 'utf8').trim() : ''
  const token = parseToken(earlier)?.role === role ? earlier : mintToken(role)
  replaceFile(minted, `${token}\n`, 0o600)
  const client = new HubClient({ transport: openTransport(way) })
  try {
    const { removeRenewals, underLock } = await import('../client/renew-token.ts')
    const exchange = async () => {
      const joined = await client.call(api.join, { body: { code, machine: name.data, token } })
      renameSync(minted, home.tokenFile)
      removeRenewals(home)
      return joined.name
    }
    // A process that renews the previous token must not overwrite this one. If such a process hangs, the exchange takes place without the lock.
    return (await underLock(home, joinWaitMs, exchange)) ?? (await exchange())
  } finally {
    client.close()
  }
}

/** Without a code: the machine must be a member already, under this name, on this hub. */
async function joinedName(home: Home, way: WayToHub, { machine }: JoinOptions): Promise<string> {
  const { config, token } = home.credentials()
  const client = new HubClient({ transport: openTransport(way), token })
  try {
    const { you } = await client.call(api.listMachines)
    if (you === machine) return machine
    throw new ClaudeNetError(
      'conflict',
      `This machine is ${you ?? config.machine}, not ${machine}.`,
      `To join as another, ask the admin for: claude-net invite ${machine}`,
    )
  } finally {
    client.close()
  }
}

/** Returns the address of `POST /mcp` for Claude Code. It cannot pin a key, so a hub with one is asked in the clear. */
function addressForClaude({ hub, pin }: Way): string {
  return new URL('/mcp', pin === undefined ? hub : plainAddress(hub)).href
}

function howToUseHttp({ byFile, byVariable, variable }: HttpCommands, { pin }: Way): string {
  const isUnproven =
    pin === undefined
      ? ''
      : `
Claude Code compares no key: it sends the token in the clear, to whoever answers at that address. Without --http this machine speaks
TLS, to the hub of its key alone.
`
  return `${isUnproven}
Claude Code speaks to the hub itself, with no process of ours, once you run this:

  ${byFile}

Or, with the token in its environment (the first line belongs into your shell's profile):

  ${variable}
  ${byVariable}

claude-net allow lets it use the tools without asking. By HTTP Claude is not notified of new messages, and a send that no hub answers
is not kept: it fails.`
}

/** Shows what would change in Claude Code's settings and, unless declined, changes it. Answers whether all is in place. */
async function offerRegistration(
  home: Home,
  { yes, json, codeStdin }: JoinOptions,
  say: (text: string) => void,
): Promise<boolean> {
  const claude = findClaude()
  if (!claude) {
    say(`\nClaude Code was not found here. Once it is installed, run: ${joinAgain(home)}`)
    return false
  }
  const changes = plannedChanges(claude, home.launcher)
  if (changes.length === 0) return true
  say("\nClaude Code's settings change like this:")
  for (const { file, text: what, goes } of changes)
    say(`  ${file}\n    ${goes ? 'without ' : ''}${visibleLine(what, 400)}`)
  // The code may come from standard input while a person is at the terminal.
  const terminal = yes || json ? undefined : terminalOf({ isStdinUsed: codeStdin })
  if (terminal && !(await agreed('Change them?', { input: terminal }))) {
    say('Left alone.')
    return false
  }
  const { backups, byHand } = register(claude, home.launcher)
  if (byHand.length === 0 || backups.length > 0)
    say(backups.length > 0 ? `Done. As it was before: ${backups.join(', ')}` : 'Done.')
  for (const { why, add } of byHand) say(`\n${why} Add this to it by hand:\n${JSON.stringify(add, null, 2)}`)
  return byHand.length === 0
}
