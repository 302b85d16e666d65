import { createInterface } from 'node:readline/promises'

/**
 * Asks on the terminal. Enter alone is yes, or no with `usually: 'no'`, which then only `y` or `yes` overcomes. Ctrl-C and
 * Ctrl-D decline. A question beside an answer for programs goes to stderr.
 */
export async function agreed(
  question: string,
  { usually = 'yes', output = process.stdout }: { usually?: 'yes' | 'no'; output?: NodeJS.WriteStream } = {},
): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output })
  try {
    const answer = await terminal.question(`${question} ${usually === 'yes' ? '[Y/n]' : '[y/N]'} `)
    return usually === 'yes' ? !/^\s*n/i.test(answer) : /^\s*y(es)?\s*$/i.test(answer)
  } catch {
    // Whoever declines by a key leaves the line open.
    output.write('\n')
    return false
  } finally {
    terminal.close()
  }
}
