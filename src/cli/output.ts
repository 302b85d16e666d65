import { CommanderError } from 'commander'
import { ClaudeNetError } from '../protocol/errors.ts'
import { visible, visibleJson } from '../text/visible.ts'

/** Exit statuses, the same for every command. 75 is EX_TEMPFAIL of sysexits.h: try again later. */
export const exit = { done: 0, refused: 1, usage: 2, unreachable: 75 } as const

/** Prints a result: as JSON for programs, or as the text for people. */
export function print(options: { json?: boolean }, data: unknown, text: () => string): void {
  void printWhole(options, data, text)
}

/** The same, and resolves once all of it is written. Where it cannot be, `run` ends the process first. */
export function printWhole(options: { json?: boolean }, data: unknown, text: () => string): Promise<void> {
  const output = options.json ? `${visibleJson(data)}\n` : `${text()}\n`
  return new Promise(resolve => process.stdout.write(output, error => error || resolve()))
}

/** Tells of an error on stderr (as JSON too, where that was asked for) and answers the exit status it stands for. */
export function fail(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exit.done : exit.usage
  if (!(error instanceof ClaudeNetError)) {
    const { code, syscall, message } = error as NodeJS.ErrnoException
    // The system's own errors name the file and what is wrong with it.
    if (code !== undefined && syscall !== undefined) {
      process.stderr.write(`claude-net: ${visible(message)}\n`)
      return exit.refused
    }
    process.stderr.write(`claude-net: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    return exit.refused
  }
  if (json) process.stderr.write(`${visibleJson(error.toBody())}\n`)
  else process.stderr.write(`claude-net: ${visible(error.message)}\n${hintText(error.hint)}\n`)
  return error.code === 'unavailable' ? exit.unreachable : exit.refused
}

/** A hint of the hub's for a terminal. The hub names the tool of Claude that lists the members; people have a command. */
export function hintText(hint: string): string {
  return visible(hint).replaceAll('claude_net_machines', 'claude-net machines')
}

/** Rows as aligned columns, two spaces apart; the first row is the heading. */
export function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  return rows
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
