import { copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { replaceFile } from '../disk/replace-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'

export type Json = Record<string, unknown>

/** Reads a JSON object that belongs to another program. `{}` when the file is missing; throws when it is broken. */
export function readJson(path: string): Json {
  if (!existsSync(path)) return {}
  try {
    const json: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (isObject(json)) return json
  } catch {
    // Told below, the same as a file with another shape.
  }
  throw new ClaudeNetError(
    'invalid',
    `${path} is not a JSON object, so it is left alone.`,
    'Mend it, then run this again.',
  )
}

/**
 * Replaces a file of another program, read anew just before so that little can be lost between. The first backup beside it is
 * kept: it is the file as it was before we ever touched it. Answers the backup's path, undefined when the file is new.
 */
export function editJson(path: string, edit: (json: Json) => void): string | undefined {
  const json = readJson(path)
  edit(json)
  const exists = existsSync(path)
  // A dotfile is often a link into a repository of dotfiles: what it points to is what is edited.
  const target = exists ? realpathSync(path) : path
  const mode = exists ? statSync(target).mode & 0o777 : 0o600
  const backup = `${path}.before-claude-net`
  if (exists && !existsSync(backup)) copyFileSync(target, backup)
  mkdirSync(dirname(target), { recursive: true })
  replaceFile(target, `${JSON.stringify(json, null, 2)}\n`, mode)
  return exists ? backup : undefined
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
