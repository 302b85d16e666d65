import type { Command } from 'commander'
import { aliasCommand } from './alias.ts'
import { allowCommand } from './allow.ts'
import { askCommand } from './ask.ts'
import { auditCommand } from './audit.ts'
import { backupCommand } from './backup.ts'
import { bindCommand } from './bind.ts'
import { brakeCommand } from './brake.ts'
import { checkStoreCommand } from './check-store.ts'
import { clientsCommand } from './clients.ts'
import { completionCommand } from './completion.ts'
import { consoleCommand } from './console.ts'
import { copyStoreCommand } from './copy-store.ts'
import { deleteCommand } from './delete.ts'
import { doctorCommand } from './doctor.ts'
import { drainCommand } from './drain.ts'
import { groupCommand } from './group.ts'
import { historyCommand } from './history.ts'
import { hookCommand } from './hook.ts'
import { demoCommand, hubCommand } from './hub.ts'
import { hubsCommand } from './hubs.ts'
import { importCommand } from './import.ts'
import { inboxCommand } from './inbox.ts'
import { installRelayCommand } from './install-relay.ts'
import { inviteCommand, rotateCommand } from './invite.ts'
import { joinCommand } from './join.ts'
import { journalCommand } from './journal.ts'
import { keyCommand } from './key.ts'
import { laterCommand } from './later.ts'
import { leaveCommand } from './leave.ts'
import { machinesCommand } from './machines.ts'
import { mcpCommand } from './mcp.ts'
import { membersCommand } from './members.ts'
import { namesCommand } from './names.ts'
import { ownerCommand } from './owner.ts'
import { pinCommand } from './pin.ts'
import { policyCommand } from './policy.ts'
import { newProgram, run, setUp } from './program.ts'
import { renameCommand } from './rename.ts'
import { restoreCommand } from './restore.ts'
import { revokeCommand } from './revoke.ts'
import { sendCommand } from './send.ts'
import { installServiceCommand, uninstallServiceCommand } from './service.ts'
import { settingsCommand } from './settings.ts'
import { statusCommand } from './status.ts'
import { statusLineCommand } from './status-line.ts'
import { telegramCommand } from './telegram.ts'
import { updateCommand } from './update.ts'
import { versionCommand } from './version.ts'
import { watchCommand } from './watch.ts'
import { webhookCommand } from './webhook.ts'

/** Carries out the command line with all commands loaded. */
export async function runAny(): Promise<void> {
  await run(wholeProgram())
}

/** Returns the program with all its commands. */
export function wholeProgram(): Command {
  const program = newProgram()

  /** The commands under the headings of the help, in the order in which it shows them. */
  const groups: Record<string, Command[]> = {
    'Messages:': [
      sendCommand(),
      askCommand(),
      inboxCommand(),
      machinesCommand(),
      statusLineCommand(),
      historyCommand(),
      laterCommand(),
      watchCommand(),
      consoleCommand(),
    ],
    'This machine:': [joinCommand(), doctorCommand(), policyCommand(), pinCommand(), updateCommand(), leaveCommand()],
    'Claude Code and other clients:': [allowCommand(), clientsCommand(), mcpCommand(), hookCommand()],
    'The hub, for the admin:': [
      hubCommand(),
      statusCommand(),
      settingsCommand(),
      keyCommand(),
      backupCommand(),
      restoreCommand(),
      journalCommand(),
      hubsCommand(),
      auditCommand(),
      installServiceCommand(),
      uninstallServiceCommand(),
      installRelayCommand(),
    ],
    'Members, for the admin:': [
      inviteCommand(),
      membersCommand(),
      importCommand(),
      aliasCommand(),
      groupCommand(),
      ownerCommand(),
      telegramCommand(),
      renameCommand(),
      rotateCommand(),
      bindCommand(),
      revokeCommand(),
      deleteCommand(),
      brakeCommand(),
      webhookCommand(),
    ],
    'Other:': [demoCommand(), completionCommand(program), versionCommand()],
  }
  for (const [heading, commands] of Object.entries(groups)) {
    program.commandsGroup(heading)
    for (const command of commands) program.addCommand(command)
  }
  for (const command of [copyStoreCommand(), checkStoreCommand(), drainCommand(), namesCommand()])
    program.addCommand(command, { hidden: true })
  setUp(program)
  return program
}
