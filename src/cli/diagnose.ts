import { existsSync } from 'node:fs'
import { type Obstacle, obstacles } from '../claude/obstacles.ts'
import { type Change, findClaude, placesOf, plannedChanges } from '../claude/settings.ts'
import type { Credentials, Home } from '../client/home.ts'
import { HubClient } from '../client/hub-client.ts'
import { hubsOf } from '../client/hubs.ts'
import { machineTransport, ownTransport, Renewals } from '../client/machine.ts'
import { type Drained, Outbox } from '../client/outbox.ts'
import { provenBy } from '../client/proven-way.ts'
import { WrongHub } from '../client/transport/pin.ts'
import { SshTransport } from '../client/transport/ssh.ts'
import { readWrongHub, reportWrongHub } from '../client/wrong-hub.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { defaultHubBehindSsh } from '../protocol/hub-address.ts'
import { noSshHost } from '../protocol/ssh-host.ts'
import { version } from '../protocol/version.ts'
import { concernsInWords } from '../text/concerns.ts'
import { ago, count } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import type { Check } from './check.ts'
import { diskChecks, outboxChecks } from './diagnose-outbox.ts'
import { projectChecks } from './diagnose-projects.ts'
import { hintText } from './output.ts'

/** Difference between the clocks from which ages look wrong, in ms. */
const tolerableClockMs = 60_000

/** For a hub that did not answer, and for something else that did. */
const mendHub = 'Is the hub running, may this machine reach it, and is that its address ("hub" in config.json)?'

/** Proves each link in turn. After the first that fails, those that need it are left out. */
export async function diagnose(home: Home): Promise<Check[]> {
  const checks: Check[] = []
  const ok = (link: string, found: string) => checks.push({ link, state: 'ok', found })
  const warn = (link: string, found: string, mend: string) => checks.push({ link, state: 'warning', found, mend })
  let credentials: Credentials
  try {
    credentials = home.credentials()
    ok('config', `${credentials.config.machine}, ${home.configFile}`)
  } catch (error) {
    return [...checks, failed('config', error)]
  }
  const transport = machineTransport(home)
  const renewals = new Renewals(home, transport)
  const client = new HubClient({
    transport,
    token: () => home.credentials().token,
    timeoutMs: 5000,
    onRenewalDue: token => renewals.renew(token),
    onRefused: token => renewals.finish(token),
  })
  const outbox = new Outbox(home, client)
  let drained: Drained | undefined
  try {
    const wrong = readWrongHub(home)
    const { ways, mistakes } = hubsOf(credentials.config)
    for (const mistake of mistakes)
      warn('config', `${mistake}, so it is left out`, `Mend it in ${home.configFile}, or remove it.`)
    const own = ownTransport(home)
    if (own instanceof SshTransport) {
      const { diagnoseSsh } = await import('./diagnose-ssh.ts')
      const links = await diagnoseSsh(own).finally(() => own.close())
      const isClosed = links.some(({ state }) => state === 'failed')
      // If there are other hubs, the machine continues without this one.
      checks.push(...(ways.length > 1 ? links.map(asNote) : links))
      if (isClosed && ways.length === 1) return [...checks, ...localChecks(home, outbox)]
    }
    const health = await client.call(api.health)
    ok('hub', `${transport.label}, version ${health.version}`)
    if (ways.length > 1) {
      const { diagnoseHubs } = await import('./diagnose-hubs.ts')
      checks.push(...(await diagnoseHubs(home, ways, transport.way)))
    }
    const { hub, sshHost, hubKey } = transport.way
    const proof = provenBy({ config: { hubKey, sshHost }, hub })
    if (proof) ok('proof', `the hub proves itself, by ${proof}`)
    else
      warn(
        'proof',
        `what answers at ${transport.label} does not have to prove that it is the hub, and is sent the token in the clear`,
        `Run: ${home.launcher} pin`,
      )
    if (health.version !== version)
      warn('version', `this client is ${version}, the hub ${health.version}`, `Take the hub's: ${home.launcher} update`)
    const { you, unread, openRequests, ...concerns } = await client.call(api.listMachines)
    if (you === credentials.config.machine) ok('token', `the hub knows this machine as ${you}, ${unread} unread`)
    else
      warn(
        'token',
        `the hub knows this machine as ${you}, config.json says ${credentials.config.machine}`,
        `Set "machine" in ${home.configFile} to the name that the hub knows.`,
      )
    await renewals.ended()
    if (renewals.trouble)
      warn(
        'token',
        `it is due for renewal, and that failed: ${(renewals.trouble as Error).message}`,
        'Mend that: sessions and commands try again, and a token that is not renewed ends.',
      )
    if (wrong)
      warn(
        'look',
        `something else answered in the hub's place at ${visibleLine(wrong.address, 200)}, ${count(wrong.times, 'time')}, last ${ago(Date.parse(wrong.at), Date.now())}; it was told nothing`,
        'The hub notes it in its audit. Tell its admin: claude-net audit --action wrongHub',
      )
    await reportWrongHub(home, client)
    const { inbound } = credentials.config
    if (inbound !== undefined) {
      const known = (await client.call(api.putPolicy, { body: {} })).inbound
      if (known === inbound) ok('policy', `inbound: ${inbound}, as ${home.configFile} says`)
      else
        warn(
          'policy',
          `the hub has ${known}, ${home.configFile} means ${inbound}`,
          `Run: claude-net policy --inbound ${inbound}. The next session tells the hub as well.`,
        )
    }
    for (const { found, mend } of concernsInWords(concerns, client.now())) warn('look', found, mend)
    const apartMs = Math.abs(client.clockOffsetMs)
    if (apartMs <= tolerableClockMs) ok('clock', "agrees with the hub's")
    else
      warn(
        'clock',
        `${Math.round(apartMs / 1000)} s from the hub's`,
        'Set this clock (NTP); nothing depends on it but what looks odd.',
      )
    drained = await outbox.drain()
    const oldest = openRequests.at(-1)
    if (oldest)
      warn(
        'requests',
        `${count(openRequests.length, 'request')} without an answer, the oldest from ${ago(Date.parse(oldest.sentAt), client.now())}`,
        'claude-net machines lists them.',
      )
  } catch (error) {
    checks.push(failed(checks.some(({ link }) => link === 'hub') ? 'token' : 'hub', error))
  } finally {
    client.close()
  }
  return [...checks, ...projectChecks(home, credentials.config), ...localChecks(home, outbox, drained)]
}

function asNote(check: Check): Check {
  return check.state === 'failed' ? { ...check, state: 'warning' } : check
}

/** Checks what needs no hub. */
function localChecks(home: Home, outbox: Outbox, drained?: Drained): Check[] {
  return [...diskChecks(home), ...outboxChecks(home, outbox, drained), ...claudeChecks(home)]
}

/** The command that sets up anew, from what is on disk, everything that `join` sets up. */
export function joinAgain(home: Home): string {
  const config = home.readConfig()
  const isSsh = config !== undefined && config.sshHost !== noSshHost
  const address = isSsh ? `ssh:${config.sshHost}` : (config?.hub ?? 'URL')
  const hub = isSsh && config.hub !== undefined && config.hub !== defaultHubBehindSsh ? ` --hub ${config.hub}` : ''
  const key = config?.hubKey === undefined ? '' : ` --hub-key ${config.hubKey}`
  return `${home.launcher} join ${address}${hub}${key} --machine ${config?.machine ?? 'NAME'}`
}

/** The checks as lines for people. */
export function report(checks: Check[]): string {
  const marks = { ok: 'ok  ', warning: 'note', failed: 'FAIL' }
  return checks
    .flatMap(({ link, state, found, mend }) => [
      `${marks[state]}  ${link.padEnd(8)} ${visibleLine(found, 300)}`,
      ...(mend ? [`      ${''.padEnd(8)} → ${visibleLine(mend, 300)}`] : []),
    ])
    .join('\n')
}

function failed(link: string, error: unknown): Check {
  if (!(error instanceof ClaudeNetError)) throw error
  return {
    link,
    state: 'failed',
    found: error.message,
    mend:
      link === 'hub' && error.code === 'unavailable' && !(error.cause instanceof WrongHub)
        ? mendHub
        : hintText(error.hint),
  }
}

function claudeChecks(home: Home): Check[] {
  const claude = findClaude()
  if (!claude)
    return [
      {
        link: 'claude',
        state: 'warning',
        found: 'Claude Code was not found for this user',
        mend: `Nothing, if it is not used here. Once it is installed: ${joinAgain(home)}`,
      },
    ]
  if (!existsSync(home.launcher))
    return [{ link: 'claude', state: 'failed', found: `${home.launcher} is missing`, mend: `Run: ${joinAgain(home)}` }]
  let missing: Change[]
  let inTheWay: Obstacle[]
  try {
    missing = plannedChanges(claude, home.launcher)
    inTheWay = obstacles(claude, process.cwd())
  } catch (error) {
    return [failed('claude', error)]
  }
  if (missing.length + inTheWay.length === 0) return [{ link: 'claude', state: 'ok', found: placesOf(claude) }]
  return [...missing.map(change => missingCheck(home, change)), ...inTheWay.map(obstacleCheck)]
}

/** Checks for settings of Claude Code that undo what join wrote. */
function obstacleCheck({ file, key, effect, isOff, of }: Obstacle): Check {
  return {
    link: 'claude',
    state: isOff ? 'failed' : 'warning',
    found: `${file}, "${key}": ${effect}`,
    mend:
      of === 'managed'
        ? `Only an administrator of Claude Code changes that file. Ask for Claude Net to be let in under "${key}".`
        : `Change "${key}" there, then restart Claude Code.`,
  }
}

function missingCheck(home: Home, { file, text, goes, why }: Change): Check {
  return {
    link: 'claude',
    state: 'warning',
    found: `${file} ${goes ? 'has too much' : 'lacks'}: ${text}`,
    mend:
      why === undefined
        ? `Run: ${joinAgain(home)}`
        : `It cannot be written (${why}). This prints what to add by hand: ${joinAgain(home)}`,
  }
}
