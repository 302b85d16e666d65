import { rmSync } from 'node:fs'
import { Command } from 'commander'
import { runningSessions } from '../claude/sessions.ts'
import { findClaude, unregister } from '../claude/settings.ts'
import { Home } from '../client/home.ts'
import { HubClient } from '../client/hub-client.ts'
import { Outbox } from '../client/outbox.ts'
import { DirectTransport } from '../client/transport/direct.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { count } from '../text/spans.ts'
import { defaultBinDir, unlinkLauncher } from './launcher.ts'
import { print } from './output.ts'

interface LeaveOptions {
  force?: boolean
  bin?: string
  json?: boolean
}

export function leaveCommand(): Command {
  return new Command('leave')
    .description('undo join: remove the token, the client, and what join wrote into Claude Code')
    .option('--force', 'even if messages wait in the outbox; they are deleted')
    .option('--bin <dir>', `where the command was linked (default ${defaultBinDir()})`)
    .option('--json', 'print JSON')
    .action((options: LeaveOptions) => {
      const home = new Home()
      const name = home.readConfig()?.machine
      if (!name)
        throw new ClaudeNetError('not_found', `Nothing has joined from ${home.dir}.`, 'There is nothing to undo.')
      refuseToLose(home, options)
      const claude = findClaude()
      const wasRegistered = claude ? unregister(claude) : false
      unlinkLauncher(home, options.bin ?? defaultBinDir())
      rmSync(home.dir, { recursive: true })
      const sessions = wasRegistered ? runningSessions() : []
      print(options, { left: name, home: home.dir, sessions }, () =>
        [
          `${name} has left: ${home.dir} is gone${wasRegistered ? ', and so is the registration in Claude Code' : ''}.`,
          `Its inbox waits on the hub, and its token should be ended there. The admin renews both with: claude-net invite ${name}`,
          ...sessions.map(({ pid, cwd }) => `Restart Claude Code, process ${pid}${cwd ? ` in ${cwd}` : ''}.`),
        ].join('\n'),
      )
    })
}

function refuseToLose(home: Home, { force }: LeaveOptions): void {
  const nowhere = new HubClient({ transport: new DirectTransport(new URL('http://localhost')) })
  const waiting = new Outbox(home, nowhere).waiting().length
  if (waiting === 0 || force) return
  throw new ClaudeNetError(
    'conflict',
    `${count(waiting, 'message')} in the outbox ${waiting === 1 ? 'waits' : 'wait'} for the hub still.`,
    'claude-net inbox sends them once the hub is back; --force deletes them.',
  )
}
