import { hooks } from './hooks.ts'
import { isObject, type Json, leftAlone } from './json-file.ts'

/** The type allowed at a key, whose parts are separated by dots: an object, or a list. */
type Shape = Record<string, 'object' | 'list'>

/** In `~/.claude.json`, as far as we write it. */
export const stateShape: Shape = { mcpServers: 'object', projects: 'object' }

/** In settings.json, as far as we write it, and where Claude Code 2.1.332 skips the whole file because of another value. */
export const settingsShape: Shape = {
  permissions: 'object',
  'permissions.allow': 'list',
  'permissions.deny': 'list',
  'permissions.ask': 'list',
  hooks: 'object',
  ...Object.fromEntries(hooks.map(({ event }) => [`hooks.${event}`, 'list' as const])),
}

/**
 * Throws `invalid`, with the key, where `json` has something else in a place that we write to: it would be lost, and Claude Code
 * does not take it. Where there is `null` there is nothing to lose.
 */
export function refuseOddShapes(file: string, json: Json, shape: Shape): void {
  for (const [key, wanted] of Object.entries(shape)) {
    const value = key.split('.').reduce<unknown>((at, part) => (isObject(at) ? at[part] : undefined), json)
    if (value === undefined || value === null) continue
    if (wanted === 'list' ? Array.isArray(value) : isObject(value)) continue
    const is = Array.isArray(value) ? 'a list' : isObject(value) ? 'an object' : `a ${typeof value}`
    throw leftAlone(
      file,
      `has ${is} as "${key}", where Claude Code takes ${wanted === 'list' ? 'a list' : 'an object'}`,
    )
  }
}
