import { ago, largestUnit } from './spans.ts'
import { visibleLine } from './visible.ts'

/** The activity that a session reported (protocol/activity.ts), and its project. Times are RFC 3339. */
export interface SaidOfSession {
  project?: string
  branch?: string
  commit?: string
  busySince?: string
  idleSince?: string
  status?: string
  statusSetAt?: string
  prompt?: { tool?: string; since: string }
}

/** Most characters shown of a branch or a tool, and of a session's status line. */
const maxName = 60
const maxStatus = 100

/** Returns the checkout: `main`, `detached at 1a2b3c4`, or nothing. */
export function checkoutInWords({ branch, commit }: SaidOfSession): string {
  if (branch !== undefined) return visibleLine(branch, maxName)
  return commit === undefined ? '' : `detached at ${visibleLine(commit, 12)}`
}

/** Returns the session's activity: `busy for 3 min`, `idle for 2 h`, `waits at a permission prompt (Bash) for 5 min`, or nothing. */
export function doingInWords({ busySince, idleSince, prompt }: SaidOfSession, now: number): string {
  const since = (time: string) => largestUnit(Math.max(0, now - Date.parse(time)))
  if (prompt) {
    const tool = prompt.tool === undefined ? '' : ` (${visibleLine(prompt.tool, maxName)})`
    return `waits at a permission prompt${tool} for ${since(prompt.since)}`
  }
  if (busySince !== undefined) return `busy for ${since(busySince)}`
  return idleSince === undefined ? '' : `idle for ${since(idleSince)}`
}

/** Returns the session's status line with its age: `20 min ago: > the invoices`. It is untrusted text, and comes last in its line. */
export function statusInWords({ status, statusSetAt }: SaidOfSession, now: number): string {
  if (status === undefined) return ''
  const at = statusSetAt === undefined ? '' : `${ago(Date.parse(statusSetAt), now)}: `
  return `${at}> ${visibleLine(status, maxStatus)}`
}

/** Returns one line about a session: `billing on main: busy for 3 min; said 20 min ago: > the invoices`. Empty when nothing is known. */
export function sessionInWords(session: SaidOfSession, now: number): string {
  const checkout = checkoutInWords(session)
  const on = checkout && (session.branch === undefined ? checkout : `on ${checkout}`)
  const place = [session.project ? visibleLine(session.project, 64) : '', on].filter(Boolean).join(' ')
  const said = statusInWords(session, now)
  const what = [doingInWords(session, now), said && `said ${said}`].filter(Boolean).join('; ')
  return [place, what].filter(Boolean).join(': ')
}
