import { provenAddress } from './hub-address.ts'
import type { HubKey } from './hub-key.ts'

/** The parts of a join line. Each has been checked against a strict pattern, since it becomes part of shell text. */
export interface JoinLineFor {
  /** The hub as the new machine, or `via`, reaches it: `http://10.0.3.1:3500`. */
  origin: string
  code: string
  /** Host that the new machine connects to by ssh to reach `origin`. */
  via?: string | undefined
  /** Key that the hub must prove before the script is requested. Undefined for a hub without one, or behind a TLS proxy. */
  hubKey?: HubKey | undefined
}

/** The ssh command: without a terminal, and without a command from the user's own configuration. */
const ssh = 'ssh -T -o RemoteCommand=none'

/**
 * Returns curl's configuration for an address of the hub, one setting per line (curl(1), --config). curl compares a pinned key even
 * if it verifies no certificate, but only over https; without `-L` it follows no redirects.
 */
function curlConfig(url: string, hubKey: HubKey | undefined): string[] {
  const pinned = hubKey === undefined ? [] : ['proto="=https"', 'insecure', `pinnedpubkey="${hubKey}"`]
  return [`url="${url}"`, 'noproxy="*"', ...pinned]
}

/**
 * Returns shell text that writes `url` to stdout, from a hub that has proven `hubKey` if there is one. The shell's builtin printf
 * passes the address to curl, so that it does not appear in the process list, which other users can read. `run` wraps the curl command.
 */
export function curlCommand(url: string, hubKey: HubKey | undefined, run = (curl: string) => curl): string {
  const settings = curlConfig(url, hubKey).map(setting => `'${setting}'`)
  return `printf '%s\\n' ${settings.join(' ')} | ${run(hubKey === undefined ? 'curl -fsSL -K -' : 'curl -fsS -K -')}`
}

/** Returns the line that makes a machine a member, for any shell. */
export function joinLine(line: JoinLineFor): string {
  const { via, hubKey } = line
  const origin = hubKey === undefined ? line.origin : provenAddress(new URL(line.origin)).origin
  const run = via === undefined ? undefined : (curl: string) => `${ssh} ${via} '${curl}'`
  return `${curlCommand(scriptUrl({ ...line, origin }), hubKey, run)} | sh`
}

/**
 * Returns the same line for a curl without TLS, with the address on its command line: every user of the machine, and anybody on the
 * network path, can read the code. `hubKey` is not used.
 */
export function plainJoinLine(line: JoinLineFor): string {
  const { via } = line
  if (via === undefined) return `curl -fsSL --noproxy '*' '${scriptUrl(line)}' | sh`
  return `${ssh} ${via} 'curl -fsSL --noproxy "*" "${scriptUrl(line)}"' | sh`
}

function scriptUrl({ origin, code, via }: JoinLineFor): string {
  return `${origin}/join/${code}${via === undefined ? '' : `?via=${via}`}`
}

/** The address of the hub for a new machine, and the way to reach it. */
export interface JoinWay {
  /** The hub as the new machine, or `via`, reaches it. */
  address: URL
  /**
   * The port the hub listens on, '' if unknown. An https address with that port is the hub itself, one with another port is a proxy,
   * whose certificate the machine verifies. Undefined: the address is the hub itself.
   */
  hubPort?: string | undefined
  via?: string | undefined
  /** Whether the line is for a curl without TLS. */
  plain?: boolean | undefined
}

/** Returns the line for an invitation, the origin in it, and the key that it pins, if any. */
export function invitationLine(
  { code, hubKey: key }: Pick<JoinLineFor, 'code' | 'hubKey'>,
  { address, hubPort, via, plain }: JoinWay,
): { command: string; origin: string; hubKey: HubKey | undefined } {
  const isHub = address.port === hubPort && hubPort !== ''
  const origin = isHub ? `http://${address.host}` : address.origin
  const isProxy = hubPort !== undefined && origin.startsWith('https:')
  const hubKey = plain || isProxy ? undefined : key
  return { command: (plain ? plainJoinLine : joinLine)({ origin, code, via, hubKey }), origin, hubKey }
}
