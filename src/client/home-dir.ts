import { join } from 'node:path'
import { userHome } from '../disk/user-home.ts'
import { ClaudeNetError } from '../protocol/errors.ts'

/** Returns the client's directory: `CLAUDE_NET_HOME`, or `~/.claude-net`. Throws `invalid` if the user has no home directory. */
export function homeDir(): string {
  if (process.env.CLAUDE_NET_HOME) return process.env.CLAUDE_NET_HOME
  const home = userHome()
  if (home !== undefined) return join(home, '.claude-net')
  throw new ClaudeNetError(
    'invalid',
    `HOME is not set, and user ${process.getuid?.() ?? ''} has no entry in /etc/passwd.`,
    'Set HOME, or CLAUDE_NET_HOME to the directory that Claude Net should use.',
  )
}
