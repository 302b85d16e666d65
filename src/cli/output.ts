import { CommanderError } from 'commander'
import { ClaudeNetError } from '../protocol/errors.ts'
import { visible, visibleJson } from '../text/visible.ts'

/**
 * Exit statuses, the same for every command. 3: not all have answered. 75 is EX_TEMPFAIL of sysexits.h: try again later. 130: ended by Ctrl-C, as
 * shells have it.
 */
export const exit = { done: 0, refused: 1, usage: 2, unanswered: 3, unreachable: 75, interrupted: 130 } as const

/** Prints a result: as JSON for programs, or as the text for people. */
export function print(options: { json?: boolean }, data: unknown, text: () => string): void {
  void printWhole(options, data, text)
}

/** The same, and resolves once all of it is written. Where it cannot be, `run` ends the process first. */
export function printWhole(options: { json?: boolean }, data: unknown, text: () => string): Promise<void> {
  const output = options.json ? `${visibleJson(data)}\n` : `${text()}\n`
  return new Promise(resolve => process.stdout.write(output, error => error || resolve()))
}

/** Prints an error to stderr, as JSON if `json`, and returns the exit status for it. */
export function fail(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exit.done : exit.usage
  if (!(error instanceof ClaudeNetError)) {
    const { code, syscall, message } = error as NodeJS.ErrnoException
    // Messages of system errors contain the file and the reason.
    if (code !== undefined && syscall !== undefined) {
      process.stderr.write(`claude-net: ${visible(message)}\n`)
      return exit.refused
    }
    process.stderr.write(`claude-net: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    return exit.refused
  }
  if (json) process.stderr.write(`${visibleJson(error.toBody())}\n`)
  else process.stderr.write(`claude-net: ${visible(inOurWords(error.message))}\n${hintText(error.hint)}\n`)
  if ('isUsage' in error) return exit.usage
  return error.code === 'unavailable' ? exit.unreachable : exit.refused
}

/** Words for the fields of a request, where they differ from the names on the wire. */
const words: Record<string, string> = {
  body: 'text',
  to: 'recipient',
  replyTo: 'message that it answers',
  expiresInS: 'time until it expires',
  q: 'search',
  with: 'member',
  machine: 'name',
}

/** The hub's word for what is wrong with a request (`body.name: …`), with the field as people call it. */
function inOurWords(message: string): string {
  return message.replace(
    /^(?:body|query|path)\.(\w+)(?:\.\S+)?: /,
    (_, field: string) => `The ${words[field] ?? field.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)}: `,
  )
}

/** A hint of the hub's for a terminal. The hub names the tool of Claude that lists the members; people have a command. */
export function hintText(hint: string): string {
  return visible(hint).replaceAll('claude_net_machines', 'claude-net machines')
}

/**
 * Rows as aligned columns, two spaces apart; the first row is the heading. On a terminal that is too narrow for them each row
 * becomes a paragraph: its first cell, then a line for every other cell that is not empty.
 */
export function table(rows: string[][], width = process.stdout.isTTY ? process.stdout.columns : Infinity): string {
  const lines = columns(rows)
  if (lines.every(line => line.length <= width)) return lines.join('\n')
  const [heading = [], ...rest] = rows
  const names = heading.map(name => name.toLowerCase())
  const longest = Math.max(...names.slice(1).map(name => name.length))
  return rest
    .map(([first, ...cells]) =>
      [
        first,
        ...cells.flatMap((cell, index) => (cell === '' ? [] : [`  ${names[index + 1]!.padEnd(longest)}  ${cell}`])),
      ].join('\n'),
    )
    .join('\n')
}

function columns(rows: string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  return rows.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}
