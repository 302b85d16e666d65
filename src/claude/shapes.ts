import { hooks } from './hooks.ts'
import { isObject, type Json, leftAlone } from './json-file.ts'

/** The type required at each key, whose parts are separated by dots: an object, or a list. */
type Shape = Record<string, 'object' | 'list'>

/** Keys of `~/.claude.json` that we write to. */
export const stateShape: Shape = { mcpServers: 'object', projects: 'object' }

/** Keys of settings.json that we write to, and those for which another type makes Claude Code 2.1.332 ignore the whole file. */
export const settingsShape: Shape = {
  permissions: 'object',
  'permissions.allow': 'list',
  'permissions.deny': 'list',
  'permissions.ask': 'list',
  hooks: 'object',
  ...Object.fromEntries(hooks.map(({ event }) => [`hooks.${event}`, 'list' as const])),
}

/**
 * Throws `invalid`, naming the key, if `json` has another type at a key that we write to: its value would be lost, and Claude Code rejects
 * it anyway. `null` is overwritten.
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
