import { ClaudeNetError } from '../../../protocol/errors.ts'
import type { Intent } from '../../../protocol/messages.ts'
import { isBlank } from '../../../protocol/messages.ts'
import { visible } from '../../../text/visible.ts'
import type { WebhookEvent } from './event.ts'
import { at, lineOf } from './words.ts'

/** Most characters of one value of a payload in a message, and of a message. */
const maxValue = 1000
const maxBody = 10_000

const placeholder = /\{\{\s*([^{}]*?)\s*\}\}/g
const parts = ['line', 'text', 'link', 'actor', 'event'] as const

/** Throws `invalid` for a template with an unknown placeholder, or with none. */
export function checkTemplate(template: string): void {
  const names = [...template.matchAll(placeholder)].map(([, name]) => name!)
  const unknown = names.find(name => !isPart(name) && !/^payload(?:\.[\w-]+)+$/.test(name))
  if (unknown === undefined && names.length > 0) return
  throw new ClaudeNetError(
    'invalid',
    unknown === undefined ? 'body.template: it has no placeholder.' : `body.template: there is no {{${unknown}}}.`,
    `There are ${parts.map(name => `{{${name}}}`).join(', ')} and {{payload.PATH}}, such as {{payload.repository.full_name}}.`,
  )
}

/** Returns the message for an event: from the template, or one line with its link. */
export function messageOf(
  event: WebhookEvent,
  payload: unknown,
  { template, failedAs }: { template: string | null; failedAs: string | null },
): { body: string; intent: Intent } {
  const filled = template === null ? '' : fill(template, event, payload)
  const body = isBlank(filled) ? defaultText(event) : filled
  return { body: cut(body), intent: event.failed && failedAs === 'request' ? 'request' : 'inform' }
}

function defaultText({ line, text, link, actor }: WebhookEvent): string {
  return [`${text ?? line}${actor ? `, by ${actor}` : ''}`, ...(link ? [link] : [])].join('\n')
}

/** Fills the placeholders in one pass: those inside of values stay as they are. */
function fill(template: string, event: WebhookEvent, payload: unknown): string {
  return visible(template).replace(placeholder, (_, name: string) => {
    if (name === 'text') return event.text ?? event.line
    if (isPart(name)) return event[name] ?? ''
    return lineOf(at(payload, name.slice('payload.'.length)), maxValue)
  })
}

function isPart(name: string): name is (typeof parts)[number] {
  return (parts as readonly string[]).includes(name)
}

function cut(text: string): string {
  return text.length > maxBody ? `${text.slice(0, maxBody).toWellFormed()}…` : text
}
