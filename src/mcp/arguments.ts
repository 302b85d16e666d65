import * as z from 'zod'
import { MessageId } from '../protocol/ids.ts'
import { Intent } from '../protocol/messages.ts'
import { lookupForm, recipientsIn } from '../protocol/names.ts'
import { visibleLine } from '../text/visible.ts'

/**
 * The arguments of the tools, as models and their clients really send them: `"true"` for true, a list as its JSON, `null` or ""
 * for what is left out. What has one plain meaning is taken; anything else is an error that says what is wanted. The JSON schema
 * names one type for each argument: clients repair a value for which a schema allows several, and repair it wrongly.
 */
export const sendArguments = toolArguments({
  to: argument({ type: 'string' }, 'A member, alias or group; several separated by commas; or "all"', recipients),
  message: argument({ type: 'string' }, 'The text', text),
  reply_to: argument({ type: 'string' }, 'Id of the message this answers; acks it', replyTo).optional(),
  intent: argument(
    { type: 'string', enum: Intent.options },
    'request: wants an answer (default to one). inform: wants none (default of a reply, and to all). urgent: should be seen now',
    intentOf,
  ).optional(),
})

export const inboxArguments = toolArguments({
  limit: argument({ type: 'integer', minimum: 1 }, 'Show at most this many; default 20', limitOf).optional(),
  ack: argument(
    { type: 'string' },
    '"true": mark what this answer shows as read. Ids, separated by commas: mark those, show nothing',
    ackOf,
  ).optional(),
})

/** An argument whose JSON schema is `schema`. `read` makes its value of whatever came, or throws what is wanted instead. */
function argument<T>(schema: object, description: string, read: (value: unknown) => T) {
  return z
    .any()
    .meta({ ...schema, description })
    .transform((value: unknown, context): T => {
      try {
        return read(value)
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message })
        return z.NEVER
      }
    })
}

/** An object of exactly these arguments; another key is an error that lists them. */
function toolArguments<Shape extends z.ZodRawShape>(shape: Shape) {
  const known = Object.keys(shape).join(', ')
  return z.strictObject(shape, {
    error: ({ code, keys }) =>
      code === 'unrecognized_keys' && Array.isArray(keys)
        ? `There is no argument ${keys.map(key => shown(key)).join(', ')}. The arguments are: ${known}.`
        : undefined,
  })
}

function recipients(value: unknown): string[] {
  const wanted = 'wanted: a member, alias or group; several separated by commas; or "all"'
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

function limitOf(value: unknown): number | undefined {
  if (isAbsent(value)) return undefined
  if (value === 'all') return Number.MAX_SAFE_INTEGER
  const limit = typeof value === 'string' ? Number(unquoted(value)) : value
  if (typeof limit === 'number' && Number.isSafeInteger(limit) && limit >= 1) return limit
  throw new Error(`wanted: a whole number from 1 on; this is ${shown(value)}`)
}

/** True: ack what is shown. A list of ids: ack those. Undefined: ack nothing. */
function ackOf(value: unknown): true | string[] | undefined {
  if (isAbsent(value)) return undefined
  if (typeof value === 'boolean') return value || undefined
  const wanted = 'wanted: true, or ids of messages, as the inbox shows them'
  const words = listIn(value, wanted).map(unquoted)
  if (words.every(word => isAbsent(word) || /^false$/i.test(word))) return undefined
  if (words.length === 1 && /^true$/i.test(words[0]!)) return true
  return idsIn(value, wanted)
}

/** Every id in `value`, at least one, each once. */
function idsIn(value: unknown, wanted: string): string[] {
  const words = listIn(value, wanted).flatMap(each => each.split(/[\s,]+/))
  const ids = words.filter(word => word !== '').map(word => ({ word, id: MessageId.safeParse(unquoted(word)) }))
  const bad = ids.find(({ id }) => !id.success)
  if (bad) throw new Error(`${wanted}; ${shown(bad.word)} is no id`)
  if (ids.length === 0) throw new Error(`${wanted}; there is none`)
  return [...new Set(ids.map(({ id }) => id.data!))]
}

/** One text, a list of texts, or the JSON of either, as a list. `true` counts as a text. */
function listIn(value: unknown, wanted: string): string[] {
  const list = [typeof value === 'string' ? parsed(value) : value].flat()
  if (list.every(each => typeof each === 'string' || typeof each === 'boolean')) return list.map(String)
  throw new Error(`${wanted}; this is ${shown(value)}`)
}

/** The list or the text whose JSON `value` is; otherwise `value` itself. */
function parsed(value: string): unknown {
  if (!/^\s*["[]/.test(value)) return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

/** What models write for an argument that they leave out. */
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
