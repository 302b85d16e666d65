import { Command } from 'commander'
import { runningSessions } from '../claude/sessions.ts'
import { findClaude, unregister } from '../claude/settings.ts'
import { Home } from '../client/home.ts'
import { waitingIn } from '../client/outbox-store.ts'
import { sshFiles } from '../client/transport/ssh-files.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { defaultHubBehindSsh } from '../protocol/hub-address.ts'
import { noSshHost } from '../protocol/ssh-host.ts'
import { count } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import { defaultBinDir, unlinkLauncher } from './launcher.ts'
import { print } from './output.ts'

interface LeaveOptions {
  force?: boolean
  bin?: string
  json?: boolean
}

export function leaveCommand(): Command {
  return new Command('leave')
    .description('Undo join: remove the token, the client, and the changes to Claude Code')
    .option('--force', 'Leave even if there are messages in the outbox, and delete them')
    .option('--bin <dir>', 'Directory of the link to the command (default ~/.local/bin, for root /usr/local/bin)')
    .option('--json', 'Print JSON')
    .action(async (options: LeaveOptions) => {
      const home = new Home()
      const name = home.readConfig()?.machine
      if (!name)
        throw new ClaudeNetError('not_found', `Nothing has joined from ${home.dir}.`, 'There is nothing to undo.')
      refuseToLose(home, options)
      const claude = findClaude()
      const { hadAny: wasRegistered, notWritten } = claude ? unregister(claude) : { hadAny: false, notWritten: [] }
      unlinkLauncher(home, options.bin ?? defaultBinDir())
      await endSshConnection(home)
      const isGone = home.remove()
      const sessions = wasRegistered ? runningSessions() : []
      print(options, { left: name, home: home.dir, sessions, notWritten }, () =>
        [
          `${name} has left: ${isGone ? `${home.dir} is gone` : `what join made in ${home.dir} is gone, the rest stays`}${wasRegistered && notWritten.length === 0 ? ', and so is the registration in Claude Code' : ''}.`,
          `Its inbox waits on the hub, and its token should be ended there. The admin renews both with: claude-net invite ${name}`,
          ...notWritten.map(why => `Take what join wrote out by hand: ${visibleLine(why, 300)}`),
          ...sessions.map(({ pid, cwd }) => `Restart Claude Code, process ${pid}${cwd ? ` in ${cwd}` : ''}.`),
        ].join('\n'),
      )
    })
}

/** The connection through ssh would end by itself, in some minutes. */
async function endSshConnection(home: Home): Promise<void> {
  const { sshHost, hub = defaultHubBehindSsh } = home.readConfig()!
  if (sshHost === noSshHost) return
  const { endLink } = await import('../client/transport/ssh-link.ts')
  await endLink(sshFiles({ host: sshHost, hub: new URL(hub), dir: home.runDir }))
}

function refuseToLose(home: Home, { force }: LeaveOptions): void {
  const waiting = waitingIn(home).length
  if (waiting === 0 || force) return
  throw new ClaudeNetError(
    'conflict',
    `${count(waiting, 'message')} in the outbox ${waiting === 1 ? 'waits' : 'wait'} for the hub still.`,
    'claude-net inbox sends them once the hub is back; --force deletes them.',
  )
}
