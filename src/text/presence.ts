import { ago } from './spans.ts'

/** Whether a member reads, and by which way a person does (`Reach` in protocol/messages.ts). */
interface Reach {
  online: boolean
  lastSeenAt: string | null
  /** Of a person: whether the hub's Telegram carries their mail. */
  telegram?: boolean
  /** Of a person: the machines they own. */
  machines?: readonly string[]
}

/**
 * Whether somebody reads there: `online`, `no session since 3 h ago`, `no session yet`; of a person by which way, and whose machine
 * would read instead: `on Telegram; their machine is seanclaude`, `no Telegram here; …`.
 */
export function presenceInWords(of: Reach, now: number): string {
  const { online, lastSeenAt, telegram, machines = [] } = of
  const owned =
    machines.length > 1 ? `; their machines are ${machines.join(', ')}` : `; their machine is ${machines[0]}`
  const also = machines.length > 0 ? owned : ''
  if (telegram === true) return `on Telegram${online ? ', online' : ''}${also}`
  const session = lastSeenAt === null ? 'no session yet' : `no session since ${ago(Date.parse(lastSeenAt), now)}`
  if (online) return `online${also}`
  if (telegram === undefined) return session + also
  return lastSeenAt === null ? `no Telegram here${also}` : `no Telegram here, ${session}${also}`
}
