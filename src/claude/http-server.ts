import { serverName } from './settings.ts'

/** The variable of the environment from which a client takes the token, where it takes it from there. */
export const tokenVariable = 'CLAUDE_NET_TOKEN'

/** The two commands that have Claude Code speak to a hub itself. Neither has the token in it, nor in a shell's history. */
export interface HttpCommands {
  /** Claude Code reads the token's file each time it connects: a new token needs no change. */
  byFile: string
  /** Claude Code takes the token from its environment, which `variable` puts there. */
  byVariable: string
  variable: string
}

/** For `url`, which is `POST /mcp` of a hub, and the file of a member's token. To be typed into a shell. */
export function httpCommands(url: string, tokenFile: string): HttpCommands {
  // Claude Code runs the helper in a shell and takes the JSON that it prints for headers.
  const headersHelper = `printf '{"Authorization":"Bearer %s"}' "$(cat ${quoted(tokenFile)})"`
  const entry = JSON.stringify({ type: 'http', url, headersHelper, alwaysLoad: true })
  return {
    byFile: `claude mcp add-json --scope user ${serverName} ${quoted(entry)}`,
    variable: exportLine(tokenFile),
    byVariable: `claude mcp add --transport http --scope user ${serverName} ${url} --header 'Authorization: Bearer \${${tokenVariable}}'`,
  }
}

/** The line of a shell's profile that puts the token into the environment. */
export function exportLine(tokenFile: string): string {
  return `export ${tokenVariable}="$(cat ${quoted(tokenFile)})"`
}

function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
