import { Command } from 'commander'
import { clientsInWords, groupLines, projectsInWords, requestLines } from '../mcp/machines-tool.ts'
import { api } from '../protocol/api.ts'
import type { Member } from '../protocol/members.ts'
import { version } from '../protocol/version.ts'
import { checkoutInWords, doingInWords, sessionInWords, statusInWords } from '../text/activity.ts'
import { concernLines } from '../text/concerns.ts'
import { presenceInWords, serviceState } from '../text/presence.ts'
import { asMachine } from './as-machine.ts'
import { print, table } from './output.ts'

export function machinesCommand(): Command {
  return new Command('machines')
    .description('List machines and people, and show who is online')
    .option('--json', 'Print JSON')
    .action((options: { json?: boolean }) =>
      asMachine(options, async ({ client }) => {
        const answer = await client.call(api.listMachines)
        print(options, answer, () => {
          const hub = answer.version ?? version
          const rows = answer.members.map(
            ({ name, kind, owner, sessions, sessionCount, projects, projectCount, ...presence }) => [
              name === answer.you ? `${name} (you)` : name,
              kind,
              owner ?? '',
              kind === 'service'
                ? serviceState
                : presenceInWords(presence, client.now()) +
                  sessionsInWords(sessionCount ?? sessions.length) +
                  projectsInWords({ projects, projectCount }),
              clientsInWords(sessions, hub),
            ],
          )
          return [
            table([['NAME', 'KIND', 'OWNER', 'STATE', 'CLIENT'], ...rows]),
            '',
            ...sessionsTable(answer.members, client.now()),
            ...groupLines(answer.groups ?? []),
            `${answer.unread} unread for you.`,
            ...concernLines(answer, client.now()),
            ...requestLines(answer.openRequests, client.now()),
          ].join('\n')
        })
      }),
    )
}

/** Returns the status of each session, one line each; empty where none has one. */
function sessionsTable(members: readonly Member[], now: number): string[] {
  const rows = members.flatMap(({ name, sessions }) =>
    sessions
      .filter(session => sessionInWords(session, now) !== '')
      .map(session => [
        name,
        session.project ?? '',
        checkoutInWords(session),
        doingInWords(session, now),
        statusInWords(session, now),
      ]),
  )
  return rows.length === 0 ? [] : [table([['SESSION OF', 'PROJECT', 'BRANCH', 'DOES', 'SAYS'], ...rows]), '']
}

function sessionsInWords(sessions: number): string {
  return sessions > 1 ? `, ${sessions} sessions` : ''
}
