import { homedir } from 'node:os'
import { join } from 'node:path'

/** The directory of the machine's side: `CLAUDE_NET_HOME`, or `~/.claude-net`. */
export function homeDir(): string {
  return process.env.CLAUDE_NET_HOME || join(homedir(), '.claude-net')
}
