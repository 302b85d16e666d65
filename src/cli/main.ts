import { aliasCommand } from './alias.ts'
import { allowCommand } from './allow.ts'
import { auditCommand } from './audit.ts'
import { backupCommand } from './backup.ts'
import { clientsCommand } from './clients.ts'
import { copyStoreCommand } from './copy-store.ts'
import { deleteCommand } from './delete.ts'
import { doctorCommand } from './doctor.ts'
import { groupCommand } from './group.ts'
import { historyCommand } from './history.ts'
import { hookCommand } from './hook.ts'
import { demoCommand, hubCommand } from './hub.ts'
import { importCommand } from './import.ts'
import { inboxCommand } from './inbox.ts'
import { installRelayCommand } from './install-relay.ts'
import { inviteCommand, rotateCommand } from './invite.ts'
import { joinCommand } from './join.ts'
import { leaveCommand } from './leave.ts'
import { machinesCommand } from './machines.ts'
import { mcpCommand } from './mcp.ts'
import { membersCommand } from './members.ts'
import { ownerCommand } from './owner.ts'
import { policyCommand } from './policy.ts'
import { newProgram, run } from './program.ts'
import { renameCommand } from './rename.ts'
import { restoreCommand } from './restore.ts'
import { revokeCommand } from './revoke.ts'
import { rulesCommand } from './rules.ts'
import { sendCommand } from './send.ts'
import { installServiceCommand, uninstallServiceCommand } from './service.ts'
import { settingsCommand } from './settings.ts'
import { statusCommand } from './status.ts'
import { telegramCommand } from './telegram.ts'
import { updateCommand } from './update.ts'
import { versionCommand } from './version.ts'
import { watchCommand } from './watch.ts'

const program = newProgram()

program.commandsGroup('Messages:')
for (const command of [sendCommand(), inboxCommand(), machinesCommand(), historyCommand(), watchCommand()])
  program.addCommand(command)
program.commandsGroup('This machine:')
for (const command of [
  joinCommand(),
  policyCommand(),
  leaveCommand(),
  doctorCommand(),
  updateCommand(),
  mcpCommand(),
  hookCommand(),
]) {
  program.addCommand(command)
}
program.commandsGroup('Claude Code and other clients:')
for (const command of [allowCommand(), rulesCommand(), clientsCommand()]) program.addCommand(command)
program.commandsGroup('The hub:')
for (const command of [
  hubCommand(),
  statusCommand(),
  inviteCommand(),
  membersCommand(),
  demoCommand(),
  installServiceCommand(),
  uninstallServiceCommand(),
]) {
  program.addCommand(command)
}
program.commandsGroup('Members, for the admin:')
for (const command of [
  aliasCommand(),
  groupCommand(),
  ownerCommand(),
  renameCommand(),
  revokeCommand(),
  rotateCommand(),
  deleteCommand(),
  importCommand(),
  auditCommand(),
  telegramCommand(),
]) {
  program.addCommand(command)
}
program.commandsGroup('Keeping, for the admin:')
for (const command of [settingsCommand(), backupCommand(), restoreCommand()]) program.addCommand(command)
program.addCommand(copyStoreCommand(), { hidden: true })
program.commandsGroup('Other:')
program.addCommand(installRelayCommand())
program.addCommand(versionCommand())

await run(program)
