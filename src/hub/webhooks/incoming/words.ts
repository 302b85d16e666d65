import { visible, visibleJson, visibleLine } from '../../../text/visible.ts'

/** Most characters of a title, a name, and a text in an event. */
const maxTitle = 160
const maxName = 80
const maxText = 8000

/** Returns the value at a path such as `alerts.0.labels.alertname`, by own properties only; undefined if there is none. */
export function at(value: unknown, path: string): unknown {
  let found = value
  for (const key of path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = (found as Record<string, unknown>)[key]
  }
  return found
}

/** Returns the text or number at the first path that has one, in one line of at most `max` characters; '' if none has. */
export function word(payload: unknown, paths: string | readonly string[], max = maxName): string {
  for (const path of [paths].flat()) {
    const shown = lineOf(at(payload, path), max)
    if (shown !== '') return shown
  }
  return ''
}

/** Like `word`, in quotation marks and the first line only. */
export function title(payload: unknown, paths: string | readonly string[], max = maxTitle): string {
  for (const path of [paths].flat()) {
    const value = at(payload, path)
    const first = typeof value === 'string' ? firstLine(value) : value
    const shown = lineOf(first, max)
    if (shown !== '') return `"${shown.replaceAll('"', "'")}"`
  }
  return ''
}

/** Returns a text, of several lines perhaps, truncated; undefined for anything else. */
export function textOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const shown = visible(cutTo(value, maxText)).trim()
  if (shown === '') return undefined
  return value.length > maxText ? `${shown}…` : shown
}

/** Returns the http or https URL, without a password, at the first path that has one. */
export function link(payload: unknown, paths: string | readonly string[]): string | undefined {
  for (const path of [paths].flat()) {
    const value = at(payload, path)
    if (typeof value !== 'string' || value.length > 1000 || !URL.canParse(value)) continue
    const { protocol, username, password, href } = new URL(value)
    if ((protocol === 'http:' || protocol === 'https:') && !username && !password && href.length <= 1000) return href
  }
  return undefined
}

/** Joins the parts that are not empty with spaces. */
export function join(...parts: string[]): string {
  return parts.filter(part => part !== '').join(' ')
}

/** Formats any value in one line: texts and numbers as they are, objects as JSON. */
export function lineOf(value: unknown, max: number): string {
  if (typeof value === 'string') return visibleLine(cutTo(value, 2 * max), max).trim()
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'object' || value === null) return ''
  return visibleLine(cutTo(visibleJson(value), 2 * max), max)
}

/** Returns the length of a list; 0 for anything else. */
export function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 0
}

function firstLine(text: string): string {
  return cutTo(text.trimStart(), 10 * maxTitle).split(/[\r\n]/)[0]!
}

/** Returns the beginning of a text that may be very long, well-formed. */
function cutTo(text: string, max: number): string {
  return text.slice(0, max).toWellFormed()
}
