import { ago } from './spans.ts'

/** Whether somebody reads there: `online`, `no session since 3 h ago`, `no session yet`. */
export function presenceInWords(of: { online: boolean; lastSeenAt: string | null }, now: number): string {
  if (of.online) return 'online'
  return of.lastSeenAt === null ? 'no session yet' : `no session since ${ago(Date.parse(of.lastSeenAt), now)}`
}
