import { serverName } from './settings.ts'

/** Environment variable from which Claude Code can read the token. */
export const tokenVariable = 'CLAUDE_NET_TOKEN'

/**
 * The two commands that make Claude Code use a hub's `POST /mcp` directly. Neither contains the token, so a shell's history does not
 * either.
 */
export interface HttpCommands {
  /** Claude Code reads the token's file each time it connects: a new token needs no change. */
  byFile: string
  /** Claude Code reads the token from the environment variable `tokenVariable`. */
  byVariable: string
  variable: string
}

/** Returns the commands, to be typed into a shell, for `url`, the `POST /mcp` of a hub, and the file of a member's token. */
export function httpCommands(url: string, tokenFile: string): HttpCommands {
  // Claude Code runs the helper in a shell and uses the JSON that it prints as headers.
  const headersHelper = `printf '{"Authorization":"Bearer %s"}' "$(cat ${quoted(tokenFile)})"`
  const entry = JSON.stringify({ type: 'http', url, headersHelper, alwaysLoad: true })
  return {
    byFile: `claude mcp add-json --scope user ${serverName} ${quoted(entry)}`,
    variable: exportLine(tokenFile),
    byVariable: `claude mcp add --transport http --scope user ${serverName} ${url} --header 'Authorization: Bearer \${${tokenVariable}}'`,
  }
}

/** Returns the line of a shell profile that sets `tokenVariable`. */
export function exportLine(tokenFile: string): string {
  return `export ${tokenVariable}="$(cat ${quoted(tokenFile)})"`
}

function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
