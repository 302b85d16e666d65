import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { linkTarget, rewriteFile, whyNotWritable } from '../disk/rewrite-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'

export type Json = Record<string, unknown>

/** The byte order mark, which editors on Windows write and Claude Code ignores. */
const byteOrderMark = '\ufeff'

/** The longest text that is searched for a key that stands twice, in characters. State that Claude Code writes itself is longer. */
const maxSearched = 1_000_000

/**
 * Reads a JSON object that belongs to another program. `{}` when the file is missing or holds nothing; throws `invalid` when it
 * is broken, or has a key twice: the first would be lost when it is written.
 */
export function readJson(path: string): Json {
  const text = rawText(path).replace(byteOrderMark, '')
  if (text.trim() === '') return {}
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw leftAlone(path, 'is not a JSON object', commentHint(text))
  }
  if (json === null) return {}
  if (!isObject(json)) throw leftAlone(path, 'is not a JSON object')
  const twice = text.length <= maxSearched ? keyThatIsTwice(text) : undefined
  if (twice === undefined) return json
  throw leftAlone(path, `has ${twice} twice`, 'Only the last counts. Make one of both, then run this again.')
}

/** Why a file of another program cannot be written, as the system's error code; undefined when it can. */
export function whyNotEditable(path: string): string | undefined {
  try {
    return whyNotWritable(linkTarget(path))
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'EIO'
  }
}

/**
 * Rewrites a file of another program, read anew just before so that little can be lost between, with the indentation, the ends
 * of lines and the byte order mark that it had. The first backup beside it is kept: it is the file as it was before we ever touched it. Answers the
 * backup's path; undefined when the file is new, or its directory takes no backup. Throws `unavailable` when it cannot be written.
 */
export function editJson(path: string, edit: (json: Json) => void): string | undefined {
  const json = readJson(path)
  const before = rawText(path)
  edit(json)
  try {
    const exists = existsSync(path)
    // A dotfile is often a link into a repository of dotfiles: what it points to is what is edited.
    const target = linkTarget(path)
    const mode = exists ? statSync(target).mode & 0o777 : 0o600
    const backup = exists ? backUp(path, target) : undefined
    mkdirSync(dirname(target), { recursive: true })
    rewriteFile(target, written(json, before), mode)
    return backup
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new ClaudeNetError(
      'unavailable',
      `${path} cannot be written (${code ?? message}).`,
      'Make room, or make it writable.',
    )
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object at `key`, made when it is missing. */
export function objectAt(json: Json, key: string): Json {
  const found = json[key]
  if (isObject(found)) return found
  const made: Json = {}
  json[key] = made
  return made
}

/** `message` says what is wrong with `path`, which is not touched for that reason. */
export function leftAlone(path: string, message: string, hint = 'Mend it, then run this again.'): ClaudeNetError {
  return new ClaudeNetError('invalid', `${path} ${message}, so it is left alone.`, hint)
}

function rawText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return ''
    throw leftAlone(path, `cannot be read (${code})`)
  }
}

function backUp(path: string, target: string): string | undefined {
  const backup = `${path}.before-claude-net`
  try {
    if (!existsSync(backup)) copyFileSync(target, backup)
    return backup
  } catch {
    return undefined
  }
}

function written(json: Json, before: string): string {
  const indent = /^[\t ]+(?=")/m.exec(before)?.[0] ?? '  '
  const text = `${before.startsWith(byteOrderMark) ? byteOrderMark : ''}${JSON.stringify(json, null, indent)}\n`
  return before.includes('\r\n') ? text.replaceAll('\n', '\r\n') : text
}

function commentHint(text: string): string | undefined {
  if (!/^\s*\/[/*]|,\s*(\/[/*]|[}\]])/m.test(text)) return undefined
  return 'Claude Code skips a file with comments or trailing commas, too. Take them out, then run this again.'
}

/** The first key that stands twice in one object of a JSON text, in quotes; undefined when there is none. */
function keyThatIsTwice(text: string): string | undefined {
  const open: Set<string>[] = []
  let last = ''
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}:]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (token === ':') {
      const keys = open.at(-1)!
      if (keys.has(last)) return last
      keys.add(last)
    } else last = token
  }
  return undefined
}
