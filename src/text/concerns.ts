import { ago } from './spans.ts'
import { visibleLine } from './visible.ts'

/** Concerns for a person, as the hub reports them (`Concerns` in protocol/members.ts). */
interface Concerns {
  brakes: { between: readonly [string, string]; until: string; why: string }[]
  sharedTokens: { member: string; hosts: string[]; at: string }[]
  damaged?: boolean
}

/** One concern as text: what was found, and what to do about it. */
export interface ConcernInWords {
  found: string
  mend: string
}

/** Shown beside every answer of a hub with a damaged store. */
export const damagedHub: ConcernInWords = {
  found: 'the store of the hub is damaged: it accepts no messages, and rows that cannot be read are missing here',
  mend: 'An admin restores a backup: docs/backups.md says how.',
}

/** Returns the concerns as texts, a damaged store and brakes first, in the order of the hub. `now` is in ms since 1970. */
export function concernsInWords({ brakes, sharedTokens, damaged }: Concerns, now: number): ConcernInWords[] {
  return [
    ...(damaged ? [damagedHub] : []),
    ...brakes.map(({ between: [one, other], until, why }) => ({
      found: `messages between ${one} and ${other} are stopped until ${until}: ${why} looked like a loop`,
      mend: `Look at what the two are doing: claude-net history --with ${other}, on ${one}. An admin can lift the brake: claude-net brake --lift ${one} ${other}`,
    })),
    ...sharedTokens.map(({ member, hosts, at }) => ({
      found: `the token of ${member} is used from two hosts at once (${hosts.map(host => visibleLine(host, 100)).join(' and ')}), last ${ago(Date.parse(at), now)}`,
      mend: `If a machine was cloned, give the copy its own name: claude-net invite NAME. If not: claude-net revoke ${member}`,
    })),
  ]
}

/** Returns the same as lines below a list; empty without any. */
export function concernLines(concerns: Concerns, now: number): string[] {
  return concernsInWords(concerns, now).map(concernLine)
}

export function concernLine({ found, mend }: ConcernInWords): string {
  return `Note: ${found}. ${mend}`
}
