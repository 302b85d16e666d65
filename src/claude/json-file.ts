import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { linkTarget, rewriteFile, whyNotWritable } from '../disk/rewrite-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'

export type Json = Record<string, unknown>

/** The byte order mark, which editors on Windows write and Claude Code ignores. */
const byteOrderMark = '\ufeff'

/** Longest text that is searched for duplicate keys, in characters. State that Claude Code writes itself is longer. */
const maxSearched = 1_000_000

/**
 * Reads a JSON object from another program's file. Returns `{}` if the file is missing or empty; throws `invalid` if it is malformed, or if
 * an object in it has a key twice: writing it back would drop the first.
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
  const duplicate = text.length <= maxSearched ? duplicateKey(text) : undefined
  if (duplicate === undefined) return json
  throw leftAlone(path, `has ${duplicate} twice`, 'Only the last one takes effect. Merge them, then run this again.')
}

/** Returns the system's error code if another program's file cannot be written; undefined if it can. */
export function whyNotEditable(path: string): string | undefined {
  try {
    return whyNotWritable(linkTarget(path))
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'EIO'
  }
}

/**
 * Rewrites another program's file, keeping its indentation, line ends and byte order mark. The file is read again immediately before, so
 * that a concurrent change is unlikely to be lost. Only the first backup beside it is kept: the file as it was before this program changed
 * it. Returns the backup's path; undefined if the file is new, or its directory cannot be written. Throws `unavailable` if the file cannot
 * be written.
 */
export function editJson(path: string, edit: (json: Json) => void): string | undefined {
  const json = readJson(path)
  const before = rawText(path)
  edit(json)
  try {
    const exists = existsSync(path)
    // A dotfile is often a symbolic link into a repository: its target is edited.
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

/** Returns the object at `key`; creates it if it is missing. */
export function objectAt(json: Json, key: string): Json {
  const found = json[key]
  if (isObject(found)) return found
  const made: Json = {}
  json[key] = made
  return made
}

/** Returns the error for a file that is not changed. `message` continues the sentence that begins with `path`. */
export function leftAlone(path: string, message: string, hint = 'Correct it, then run this again.'): ClaudeNetError {
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
  return 'Claude Code also ignores a file with comments or trailing commas. Remove them, then run this again.'
}

/** Returns, in quotes, the first key that occurs twice in one object of a JSON text; undefined if there is none. */
function duplicateKey(text: string): string | undefined {
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
