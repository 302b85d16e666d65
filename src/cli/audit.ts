import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import type { AuditLine } from '../protocol/audit.ts'
import { visibleLine } from '../text/visible.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print, table } from './output.ts'
import { UsageError } from './usage-error.ts'

interface AuditOptions extends AdminOptions {
  actor?: string
  action?: string
  target?: string
  since?: string
  before?: string
  limit?: string
}

const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 }

export function auditCommand(): Command {
  const command = new Command('audit')
    .description('Show the audit log, newest first: joins, changes by the admin, failed logins and forbidden requests')
    .option('--actor <name>', 'Show only actions of this member, or of admin')
    .option('--action <action>', 'Show only this action: invite, join, login, revokeMember, …')
    .option('--target <name>', 'Show only actions on this name')
    .option('--since <when>', 'Show only actions since then: 30m, 12h, 7d, or a time such as 2026-11-22T15:00:00Z')
    .option('--before <id>', 'Show only lines older than this one')
    .option('--limit <n>', 'Show at most n lines (default 20)')
  return withAdminOptions(command).action((options: AuditOptions) =>
    asAdmin(options, async client => {
      const { actor, action, target, before, limit = '20' } = options
      const since = options.since && instant(options.since, client.now())
      const answer = await client.call(api.listAudit, { query: { actor, action, target, since, before, limit } })
      print(options, answer, () => {
        if (answer.lines.length === 0) return 'Nothing found.'
        const more = answer.more > 0 ? [`${answer.more} more: --before ${answer.lines.at(-1)!.id}`] : []
        return [table([heading, ...answer.lines.map(cells)]), ...more].join('\n')
      })
    }),
  )
}

const heading = ['TIME', 'ACTOR', 'ACTION', 'TARGET', 'RESULT', 'TOKEN', 'FROM', 'DETAIL']

function cells({ at, actor, action, target, result, tokenId, address, detail, count }: AuditLine): string[] {
  const more = count > 1 ? `${count} refusals not listed` : ''
  return [at, actor ?? '-', action, target ?? '-', result, tokenId ?? '-', address ?? '-', detail ?? more].map(cell =>
    visibleLine(cell, 200),
  )
}

/** A span before `now` (ms since 1970), or a time as it is. */
function instant(text: string, now: number): string {
  const span = /^(\d{1,6})([mhd])$/.exec(text)
  const at = span ? now - Number(span[1]) * unitMs[span[2] as keyof typeof unitMs] : Date.parse(text)
  if (!Number.isNaN(at)) return new Date(at).toISOString()
  throw new UsageError(`'${text}' is not a time.`, 'Say 30m, 12h, 7d, or 2026-11-22T15:00:00Z.')
}
