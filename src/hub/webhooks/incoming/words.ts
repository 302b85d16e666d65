import { visible, visibleJson, visibleLine } from '../../../text/visible.ts'

/** Most characters of a title, a name, and a text in an event. */
const maxTitle = 160
const maxName = 80
const maxText = 8000

/** The value at a path such as `alerts.0.labels.alertname`; undefined where there is none. Only what the payload itself has. */
export function at(value: unknown, path: string): unknown {
  let found = value
  for (const key of path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = (found as Record<string, unknown>)[key]
  }
  return found
}

/** The first of several paths that has a text or a number, in one line of at most `max` characters; '' where none has. */
export function word(payload: unknown, paths: string | readonly string[], max = maxName): string {
  for (const path of [paths].flat()) {
    const shown = lineOf(at(payload, path), max)
    if (shown !== '') return shown
  }
  return ''
}

/** The same in quotation marks, only the first line of it; '' where there is nothing. */
export function title(payload: unknown, paths: string | readonly string[], max = maxTitle): string {
  for (const path of [paths].flat()) {
    const value = at(payload, path)
    const first = typeof value === 'string' ? firstLine(value) : value
    const shown = lineOf(first, max)
    if (shown !== '') return `"${shown.replaceAll('"', "'")}"`
  }
  return ''
}

/** A text of several lines, cut; undefined for what is none. */
export function textOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const shown = visible(cutTo(value, maxText)).trim()
  if (shown === '') return undefined
  return value.length > maxText ? `${shown}…` : shown
}

/** A URL of http or https without a password in it, at the first path that has one. */
export function link(payload: unknown, paths: string | readonly string[]): string | undefined {
  for (const path of [paths].flat()) {
    const value = at(payload, path)
    if (typeof value !== 'string' || value.length > 1000 || !URL.canParse(value)) continue
    const { protocol, username, password, href } = new URL(value)
    if ((protocol === 'http:' || protocol === 'https:') && !username && !password && href.length <= 1000) return href
  }
  return undefined
}

/** Parts of a line with a space between them; those that are empty are left out. */
export function join(...parts: string[]): string {
  return parts.filter(part => part !== '').join(' ')
}

/** Any value in one line: texts and numbers as they are, objects as JSON. */
export function lineOf(value: unknown, max: number): string {
  if (typeof value === 'string') return visibleLine(cutTo(value, 2 * max), max).trim()
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'object' || value === null) return ''
  return visibleLine(cutTo(visibleJson(value), 2 * max), max)
}

/** How many: the length of a list; 0 for what is none. */
export function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 0
}

function firstLine(text: string): string {
  return cutTo(text.trimStart(), 10 * maxTitle).split(/[\r\n]/)[0]!
}

/** The beginning of a text that may be very long, well-formed. */
function cutTo(text: string, max: number): string {
  return text.slice(0, max).toWellFormed()
}
