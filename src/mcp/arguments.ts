import { withinText } from '../client/timing.ts'
import { MessageId } from '../protocol/ids.ts'
import { Intent } from '../protocol/messages.ts'
import { lookupForm, recipientsIn } from '../protocol/names.ts'
import { visibleLine } from '../text/visible.ts'

/**
 * Reads the arguments of the tools as models and their clients really send them: `"true"` for true, a list as its JSON, `null` or "" for an
 * omitted argument. A value with one plain meaning is accepted; any other throws an error that names what is wanted. The JSON schemas are
 * in tool-list.ts.
 */
export const readSendArguments = argumentsReader({
  to: recipients,
  message: text,
  reply_to: replyTo,
  intent: intentOf,
  at: timeOf,
  expires: timeOf,
  within: withinOf,
})

export const readInboxArguments = argumentsReader({ limit: limitOf, ack: ackOf })

export const readMachinesArguments = argumentsReader({ status: statusOf })

/**
 * Returns a function that parses an arguments object with one reader per argument. It throws one error for all problems: `name: what is
 * wanted` for each invalid argument, and the list of the valid names if there are unknown keys.
 */
function argumentsReader<Readers extends Record<string, (value: unknown) => unknown>>(readers: Readers) {
  const known = Object.keys(readers)
  return (given: object): { [Name in keyof Readers]: ReturnType<Readers[Name]> } => {
    const taken: Record<string, unknown> = {}
    const wrong: string[] = []
    for (const name of known) {
      try {
        taken[name] = readers[name]!(Object.hasOwn(given, name) ? (given as Record<string, unknown>)[name] : undefined)
      } catch (error) {
        wrong.push(`${name}: ${(error as Error).message}`)
      }
    }
    const unknown = Object.keys(given).filter(name => !known.includes(name))
    if (unknown.length > 0)
      wrong.push(
        `There is no argument ${unknown.map(name => shown(name)).join(', ')}. The arguments are: ${known.join(', ')}.`,
      )
    if (wrong.length > 0) throw new Error(wrong.join(', '))
    return taken as { [Name in keyof Readers]: ReturnType<Readers[Name]> }
  }
}

function recipients(value: unknown): string[] {
  const wanted = 'wanted: a member, alias or group, or member/project; several separated by commas; or "all"'
  const names = listIn(value, wanted)
    .flatMap(recipientsIn)
    .map(name => lookupForm(unquoted(name).replace(/[.;:]+$/, '')))
    .filter(name => name !== '')
  if (names.length === 0) throw new Error(`${wanted}; nothing is named`)
  return [...new Set(names)]
}

function text(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'string' && value.trim() !== '') return value
  throw new Error(`wanted: the text of the message; this is ${typeof value === 'string' ? 'blank' : shown(value)}`)
}

function replyTo(value: unknown): string | undefined {
  if (isAbsent(value)) return undefined
  const wanted = 'wanted: the id of one message, as the inbox shows it'
  const [id, ...more] = idsIn(value, wanted)
  if (more.length > 0) throw new Error(`${wanted}; these are ${more.length + 1}`)
  return id
}

function intentOf(value: unknown): Intent | undefined {
  if (isAbsent(value)) return undefined
  const wanted = `wanted: ${Intent.options.join(', ')}`
  const words = listIn(value, wanted)
  const intent = Intent.safeParse(words.length === 1 ? unquoted(words[0]!).toLowerCase() : undefined)
  if (intent.success) return intent.data
  throw new Error(`${wanted}; this is ${shown(value)}`)
}

/** Returns a time as it was written; `client/timing.ts` parses it. */
function timeOf(value: unknown): string | undefined {
  if (isAbsent(value)) return undefined
  if (typeof value === 'string') return unquoted(value)
  throw new Error(`wanted: a time as text, such as "in 10m"; this is ${shown(value)}`)
}

/** Returns a span in seconds. */
function withinOf(value: unknown): number | undefined {
  if (isAbsent(value)) return undefined
  const wanted = 'wanted: a span of time such as "30m"'
  if (typeof value !== 'string') throw new Error(`${wanted}; this is ${shown(value)}`)
  try {
    return withinText(unquoted(value))
  } catch (error) {
    throw new Error(`${wanted}; this is ${shown(value)}: ${(error as Error).message}`)
  }
}

function limitOf(value: unknown): number | undefined {
  if (isAbsent(value)) return undefined
  if (value === 'all') return Number.MAX_SAFE_INTEGER
  const limit = typeof value === 'string' ? Number(unquoted(value)) : value
  if (typeof limit === 'number' && Number.isSafeInteger(limit) && limit >= 1) return limit
  throw new Error(`wanted: a whole number from 1 on; this is ${shown(value)}`)
}

/** Returns the status line to set; '' removes it, undefined leaves it unchanged. */
function statusOf(value: unknown): string | undefined {
  if (isAbsent(value)) return undefined
  if (typeof value !== 'string') throw new Error(`wanted: one line of text; this is ${shown(value)}`)
  const line = value.trim()
  return line === '-' ? '' : line
}

/** Returns true to ack the messages shown, a list of ids to ack those, undefined to ack nothing. */
function ackOf(value: unknown): true | string[] | undefined {
  if (isAbsent(value)) return undefined
  if (typeof value === 'boolean') return value || undefined
  const wanted = 'wanted: true, or ids of messages, as the inbox shows them'
  const words = listIn(value, wanted).map(unquoted)
  if (words.every(word => isAbsent(word) || /^false$/i.test(word))) return undefined
  if (words.length === 1 && /^true$/i.test(words[0]!)) return true
  return idsIn(value, wanted)
}

/** Returns the distinct ids in `value`. Throws if there are none. */
function idsIn(value: unknown, wanted: string): string[] {
  const words = listIn(value, wanted).flatMap(each => each.split(/[\s,]+/))
  const ids = words.filter(word => word !== '').map(word => ({ word, id: MessageId.safeParse(unquoted(word)) }))
  const bad = ids.find(({ id }) => !id.success)
  if (bad) throw new Error(`${wanted}; ${shown(bad.word)} is no id`)
  if (ids.length === 0) throw new Error(`${wanted}; there is none`)
  return [...new Set(ids.map(({ id }) => id.data!))]
}

/** Returns a text, a list of texts, or the JSON of either as a list. `true` counts as a text. */
function listIn(value: unknown, wanted: string): string[] {
  const list = [typeof value === 'string' ? parsed(value) : value].flat()
  if (list.every(each => typeof each === 'string' || typeof each === 'boolean')) return list.map(String)
  throw new Error(`${wanted}; this is ${shown(value)}`)
}

/** Returns the list or text that `value` is the JSON of; otherwise `value` itself. */
function parsed(value: string): unknown {
  if (!/^\s*["[]/.test(value)) return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

/** Reports whether `value` is one that models write for an omitted argument. */
function isAbsent(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  return (
    value === undefined ||
    value === null ||
    (typeof value === 'string' && /^\s*(null|undefined|none|\[\s*\])?\s*$/i.test(value))
  )
}

function unquoted(text: string): string {
  return text
    .trim()
    .replace(/^(["'`])(.*)\1$/s, '$2')
    .trim()
}

function shown(value: unknown): string {
  return value === undefined ? 'missing' : visibleLine(JSON.stringify(value), 80)
}
