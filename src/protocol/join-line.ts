import { provenAddress } from './hub-address.ts'
import type { HubKey } from './hub-key.ts'

/** What a join line is made of. Every part has been checked against a strict pattern: they stand in shell text. */
export interface JoinLineFor {
  /** The hub as the new machine, or `via`, reaches it: `http://10.0.3.1:3500`. */
  origin: string
  code: string
  /** Where the new machine goes by ssh to reach `origin`. */
  via?: string | undefined
  /** The key that the hub must prove before it is asked for the script. Undefined for a hub without one, or behind a proxy with TLS. */
  hubKey?: HubKey | undefined
}

/** How the machine gets into the other host: without a terminal, and without a command of the user's own configuration. */
const ssh = 'ssh -T -o RemoteCommand=none'

/**
 * What curl must know of an address of the hub, one setting of its configuration a line (curl(1), --config). curl compares a pinned
 * key also where it verifies no certificate, but only over https; without `-L` it follows no redirect to elsewhere.
 */
function curlConfig(url: string, hubKey: HubKey | undefined): string[] {
  const pinned = hubKey === undefined ? [] : ['proto="=https"', 'insecure', `pinnedpubkey="${hubKey}"`]
  return [`url="${url}"`, 'noproxy="*"', ...pinned]
}

/**
 * Shell text that takes `url` to stdout, from a hub that has proven `hubKey` if there is one. The shell's own printf hands curl the
 * address, so no argument that other users see in the process list holds it. `run` is how curl is started.
 */
export function curlCommand(url: string, hubKey: HubKey | undefined, run = (curl: string) => curl): string {
  const settings = curlConfig(url, hubKey).map(setting => `'${setting}'`)
  return `printf '%s\\n' ${settings.join(' ')} | ${run(hubKey === undefined ? 'curl -fsSL -K -' : 'curl -fsS -K -')}`
}

/** The one line that makes a machine a member, for any shell. */
export function joinLine(line: JoinLineFor): string {
  const { via, hubKey } = line
  const origin = hubKey === undefined ? line.origin : provenAddress(new URL(line.origin)).origin
  const run = via === undefined ? undefined : (curl: string) => `${ssh} ${via} '${curl}'`
  return `${curlCommand(scriptUrl({ ...line, origin }), hubKey, run)} | sh`
}

/**
 * The same by plain HTTP, for a curl without TLS, and with the address on its command line: every user of the machine, and whoever is
 * on the way, can read the code. `hubKey` is not used.
 */
export function plainJoinLine(line: JoinLineFor): string {
  const { via } = line
  if (via === undefined) return `curl -fsSL --noproxy '*' '${scriptUrl(line)}' | sh`
  return `${ssh} ${via} 'curl -fsSL --noproxy "*" "${scriptUrl(line)}"' | sh`
}

function scriptUrl({ origin, code, via }: JoinLineFor): string {
  return `${origin}/join/${code}${via === undefined ? '' : `?via=${via}`}`
}

/** Where a new machine finds the hub, and how it gets there. */
export interface JoinWay {
  /** The hub as the new machine, or `via`, reaches it. */
  address: URL
  /**
   * The port at which the hub listens, '' where it is not known. An address by https with that port is the hub itself, one with another
   * port is a proxy, whose certificate the machine verifies. Undefined: the address is the hub itself.
   */
  hubPort?: string | undefined
  via?: string | undefined
  /** Whether the line is for a curl without TLS. */
  plain?: boolean | undefined
}

/** The line for an invitation, the origin in it, and the key that it pins, if any. */
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
