import { openSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { ReadStream } from 'node:tty'

/**
 * Asks on the terminal. Enter alone is yes, or no with `usually: 'no'`, which then only `y` or `yes` overcomes. Ctrl-C and
 * Ctrl-D decline. A question beside an answer for programs goes to stderr.
 */
export async function agreed(
  question: string,
  {
    usually = 'yes',
    input = process.stdin,
    output = process.stdout,
  }: { usually?: 'yes' | 'no'; input?: ReadStream; output?: NodeJS.WriteStream } = {},
): Promise<boolean> {
  const terminal = createInterface({ input, output })
  try {
    const answer = await terminal.question(`${question} ${usually === 'yes' ? '[Y/n]' : '[y/N]'} `)
    return usually === 'yes' ? !/^\s*n/i.test(answer) : /^\s*y(es)?\s*$/i.test(answer)
  } catch {
    // Ctrl-C and Ctrl-D do not end the line.
    output.write('\n')
    return false
  } finally {
    terminal.close()
    if (input !== process.stdin) input.destroy()
  }
}

/**
 * The terminal that questions are answered on: standard input or, where something else came in by that, the one that controls
 * this process. Undefined when nobody sits there.
 */
export function terminalOf({ isStdinUsed = false }: { isStdinUsed?: boolean }): ReadStream | undefined {
  if (!isStdinUsed) return process.stdin.isTTY ? process.stdin : undefined
  try {
    return new ReadStream(openSync('/dev/tty', 'r'))
  } catch {
    return undefined
  }
}
