import { tokenVariable } from '../claude/http-server.ts'

/** MCP clients, beside Claude Code, whose configuration we know. */
export const clientNames = ['codex', 'opencode', 'gemini', 'cursor'] as const

/** Configuration of one client, and the file that it belongs into. */
export interface ClientConfiguration {
  name: (typeof clientNames)[number]
  /** As people write its name. */
  title: string
  /** `stdio`: the client starts a process of this machine, with its outbox. `http`: it speaks to the hub itself. */
  form: 'stdio' | 'http'
  /** Of the user. What stands there already stays; the entry is added to it. */
  file: string
  /** The entry, as it stands in the file. */
  text: string
}

/**
 * The configuration of every client, in both forms; without the `url` of a hub's `POST /mcp` in the first alone. None of them
 * holds the token. Where the forms are from: Codex CLI 0.169 and OpenCode 1.18 as they were run;
 * github.com/google-gemini/gemini-cli docs/tools/mcp-server.md; cursor.com/docs/mcp.
 */
export function configurationsOf(launcher: string, url: string | undefined): ClientConfiguration[] {
  const bearer = (variable: string) => ({ Authorization: `Bearer ${variable}` })
  const both = (name: ClientConfiguration['name'], title: string, file: string, stdio: string, http: string) => [
    { name, title, form: 'stdio' as const, file, text: stdio },
    { name, title, form: 'http' as const, file, text: http },
  ]
  const all = [
    ...both(
      'codex',
      'Codex',
      '~/.codex/config.toml',
      `[mcp_servers.claude-net]\ncommand = ${JSON.stringify(launcher)}\nargs = ["mcp"]`,
      `[mcp_servers.claude-net]\nurl = ${JSON.stringify(url)}\nbearer_token_env_var = "${tokenVariable}"`,
    ),
    ...both(
      'opencode',
      'OpenCode',
      '~/.config/opencode/opencode.json',
      json('mcp', { type: 'local', command: [launcher, 'mcp'], enabled: true }),
      json('mcp', { type: 'remote', url, headers: bearer(`{env:${tokenVariable}}`), enabled: true }),
    ),
    ...both(
      'gemini',
      'Gemini CLI',
      '~/.gemini/settings.json',
      json('mcpServers', { command: launcher, args: ['mcp'] }),
      json('mcpServers', { httpUrl: url, headers: bearer(`$${tokenVariable}`) }),
    ),
    ...both(
      'cursor',
      'Cursor',
      '~/.cursor/mcp.json',
      json('mcpServers', { command: launcher, args: ['mcp'] }),
      json('mcpServers', { url, headers: bearer(`\${env:${tokenVariable}}`) }),
    ),
  ]
  return url === undefined ? all.filter(({ form }) => form === 'stdio') : all
}

function json(key: string, entry: object): string {
  return JSON.stringify({ [key]: { 'claude-net': entry } }, null, 2)
}
