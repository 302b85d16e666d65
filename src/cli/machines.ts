import { Command } from 'commander'
import { openMachine } from '../client/machine.ts'
import { clientsInWords, newestClient, requestLines } from '../mcp/machines-tool.ts'
import { api } from '../protocol/api.ts'
import { concernLines } from '../text/concerns.ts'
import { presenceInWords } from '../text/presence.ts'
import { print, table } from './output.ts'

export function machinesCommand(): Command {
  return new Command('machines')
    .description('list machines and people, and who is online')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const { client } = openMachine()
      const answer = await client.call(api.listMachines)
      print(options, answer, () => {
        const newest = newestClient(answer.members)
        const rows = answer.members.map(({ name, kind, owner, sessions, ...presence }) => [
          name === answer.you ? `${name} (you)` : name,
          kind,
          owner ?? '',
          presenceInWords(presence, client.now()) + (sessions.length > 1 ? `, ${sessions.length} sessions` : ''),
          clientsInWords(sessions, newest),
        ])
        return [
          table([['NAME', 'KIND', 'OWNER', 'STATE', 'CLIENT'], ...rows]),
          '',
          `${answer.unread} unread for you.`,
          ...concernLines(answer, client.now()),
          ...requestLines(answer.openRequests, client.now()),
        ].join('\n')
      })
      client.close()
    })
}
