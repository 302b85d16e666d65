import { moment } from './spans.ts'

/** The fields of each recipient that a summary uses: see `Receipt` in protocol/messages.ts. */
interface State {
  name: string
  project?: string
  status: 'stored' | 'fetched' | 'acked' | 'expired' | 'refused'
  answeredAt?: string
  heldSince?: string
  online: boolean
  lastSeenAt: string | null
}

/** Most names after one count. */
const maxNames = 10

/** Most groups of recipients by the time since which they are offline; those offline longest are counted together. */
const maxSpans = 3

/**
 * Returns the progress of a question to several in one line: `4 of 6 answered: ana, ben, cat, dan; shown to 1: eve; offline since Monday:
 * jaz`. `now` is in ms since 1970.
 */
export function gatherInWords(receipts: readonly State[], now: number): string {
  const of = new Map<string, string[]>()
  const put = (what: string, each: State) => of.set(what, [...(of.get(what) ?? []), addressOf(each)])
  for (const each of receipts) if (each.answeredAt === undefined && !isOffline(each)) put(standing(each), each)
  const counted = ['shown to', 'unread at', 'held for the user of', 'expired at', 'refused by'].flatMap(what => {
    const names = of.get(what)
    return names ? [`${what} ${names.length}: ${listed(names)}`] : []
  })
  const answered = receipts.filter(({ answeredAt }) => answeredAt !== undefined).map(addressOf)
  const head = `${answered.length} of ${receipts.length} answered${answered.length > 0 ? `: ${listed(answered)}` : ''}`
  return [head, ...counted, ...offline(receipts.filter(isOffline), now)].join('; ')
}

/** Reports whether a recipient has read nothing and is offline. */
function isOffline({ status, answeredAt, heldSince, online }: State): boolean {
  return status === 'stored' && answeredAt === undefined && !heldSince && !online
}

function addressOf({ name, project }: State): string {
  return project === undefined ? name : `${name}/${project}`
}

function standing({ status, heldSince }: State): string {
  if (status === 'refused') return 'refused by'
  if (status === 'expired') return 'expired at'
  if (status !== 'stored') return 'shown to'
  return heldSince ? 'held for the user of' : 'unread at'
}

function offline(states: readonly State[], now: number): string[] {
  const spans = new Map<string, string[]>()
  const last = ({ lastSeenAt }: State) => (lastSeenAt === null ? 0 : Date.parse(lastSeenAt))
  for (const state of states.toSorted((a, b) => last(b) - last(a))) {
    const what = state.lastSeenAt === null ? 'no session yet' : `offline since ${moment(last(state), now)}`
    spans.set(what, [...(spans.get(what) ?? []), addressOf(state)])
  }
  const lines = [...spans].slice(0, maxSpans).map(([what, names]) => `${what}: ${listed(names)}`)
  const others = [...spans].slice(maxSpans).flatMap(([, names]) => names)
  return others.length > 0 ? [...lines, `offline longer: ${listed(others)}`] : lines
}

function listed(names: readonly string[]): string {
  const more = names.length > maxNames ? ` and ${names.length - maxNames} more` : ''
  return names.slice(0, maxNames).join(', ') + more
}
