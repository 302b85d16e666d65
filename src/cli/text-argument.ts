import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { ClaudeNetError } from '../protocol/errors.ts'
import { visibleLine } from '../text/visible.ts'

/** For the help of a command whose last arguments are a text. */
export const textHelp = `
Options go before <to>, or after a text that is one argument. Several words are all text, and so is everything after --.`

/** Most bytes that are read from standard input; far more than a message may have. */
const maxInputBytes = 1024 * 1024

/**
 * The text that `words`, all that stands behind the first argument of `command`, are meant to be. Options behind a text that is
 * one argument are set on `command`, which must pass through what stands behind its first argument. Ends with a usage error where
 * it is not clear what is text, and throws `invalid` for bytes that are no UTF-8.
 */
export async function textOf(command: Command, words: string[]): Promise<string> {
  const [first = '', ...rest] = words
  if (first === '--') return typed(command, rest)
  if (words.length === 1 && (first === '--help' || first === '-h')) command.help()
  if (looksLikeOption(first)) throw doubt(command, words, first)
  if (rest.length === 0) return first === '-' ? fromStdin() : typed(command, words)
  if (!looksLikeOption(rest[0]!)) return typed(command, words)
  const { values, problem, others } = optionsIn(command, rest)
  if (problem || (others > 0 && /\s/.test(first))) throw doubt(command, words, rest[0]!, problem)
  // Words after the possible option make it part of a text of several words.
  if (others > 0) return typed(command, words)
  for (const [name, value] of Object.entries(values)) command.setOptionValue(name, value)
  return first === '-' ? fromStdin() : typed(command, [first])
}

/** `--json`, `--intent=urgent`, `-x`, `--`. What begins with a dash and goes on with a space or a line is text. */
function looksLikeOption(word: string): boolean {
  return /^(?:-[^\s-]|--[^\s=]*(?:=.*)?)$/s.test(word)
}

/**
 * Parses `words`, of which the first looks like an option, as options of `command`: returns their values, or the problem with them, and
 * how many words are left over.
 */
function optionsIn(command: Command, words: string[]): { values: object; problem?: string; others: number } {
  const probe = new Command()
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .passThroughOptions()
  for (const option of command.options) probe.addOption(option)
  try {
    const { operands, unknown } = words[0] === '--' ? { operands: [], unknown: words } : probe.parseOptions(words)
    const problem = unknown.length > 0 ? whatIsIt(unknown[0]!) : undefined
    return { values: probe.opts(), problem, others: operands.length }
  } catch (error) {
    // An option lacks its value, or has an invalid one.
    return { values: {}, problem: (error as Error).message, others: 0 }
  }
}

function doubt(command: Command, words: string[], word: string, problem = whatIsIt(word)): never {
  const start = `claude-net ${command.name()}`
  const to = quoted(command.args[0]!)
  const asText = `as text:   ${start} ${to} -- ${visibleLine(words.map(quoted).join(' '), 200)}`
  return command.error(`${problem}\n${asText}\nas option: ${start} [options] ${to} <text>`, { exitCode: 2 })
}

function whatIsIt(word: string): string {
  return `error: is '${visibleLine(word, 60)}' an option or text?`
}

/** A word as it is typed into a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

function typed(command: Command, words: string[]): string {
  if (words.length === 0) command.error("error: missing required argument 'text'", { exitCode: 2 })
  const text = words.join(' ')
  // Node replaces bytes that are not UTF-8 by U+FFFD.
  if (text.includes('\ufffd') && !isCommandLineUtf8()) throw notUtf8('The text')
  return text
}

function isCommandLineUtf8(): boolean {
  try {
    return isUtf8(readFileSync('/proc/self/cmdline'))
  } catch {
    return false
  }
}

/** Standard input without the newline that ends its last line, and without a byte order mark. */
async function fromStdin(): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxInputBytes) {
      throw new ClaudeNetError('too_large', 'Standard input has more than 1 MiB.', 'Send a path or a summary.')
    }
    chunks.push(chunk)
  }
  const bytes = Buffer.concat(chunks)
  if (!isUtf8(bytes)) throw notUtf8('Standard input')
  return new TextDecoder().decode(bytes).replace(/\r?\n$/, '')
}

function notUtf8(what: string): ClaudeNetError {
  return new ClaudeNetError(
    'invalid',
    `${what} is not in UTF-8, so nothing was sent.`,
    'Convert it, for example: iconv -f ISO-8859-1 -t UTF-8 FILE | claude-net send NAME -',
  )
}
