import { ago } from './spans.ts'
import { visibleLine } from './visible.ts'

/** What a person should look at, as the hub tells it (`Concerns` in protocol/members.ts). */
interface Concerns {
  brakes: { between: readonly [string, string]; until: string; why: string }[]
  sharedTokens: { member: string; hosts: string[]; at: string }[]
}

/** One concern in words: what was found, and what to do about it. */
export interface ConcernInWords {
  found: string
  mend: string
}

/** Each concern, brakes first, in the order of the hub. `now` in ms since 1970. */
export function concernsInWords({ brakes, sharedTokens }: Concerns, now: number): ConcernInWords[] {
  return [
    ...brakes.map(({ between: [one, other], until, why }) => ({
      found: `mail between ${one} and ${other} is stopped until ${until}: ${why} looked like a loop`,
      mend: `Look at what the two are doing: claude-net history --with ${other}, on ${one}. An admin lets it pass again: claude-net brake --lift ${one} ${other}`,
    })),
    ...sharedTokens.map(({ member, hosts, at }) => ({
      found: `the token of ${member} is used from two hosts at once (${hosts.map(host => visibleLine(host, 100)).join(' and ')}), last ${ago(Date.parse(at), now)}`,
      mend: `If a machine was cloned, give the copy its own name: claude-net invite NAME. If not: claude-net revoke ${member}`,
    })),
  ]
}

/** The same as lines to stand under a list; empty without any. */
export function concernLines(concerns: Concerns, now: number): string[] {
  return concernsInWords(concerns, now).map(({ found, mend }) => `Note: ${found}. ${mend}`)
}
