import { createInterface } from 'node:readline/promises'

/** Asks on the terminal; yes unless the answer begins with n. */
export async function agreed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const answer = await terminal.question(`${question} [Y/n] `)
    return !/^\s*n/i.test(answer)
  } catch {
    // Ctrl-C and Ctrl-D decline as well; they leave the line open.
    process.stdout.write('\n')
    return false
  } finally {
    terminal.close()
  }
}
