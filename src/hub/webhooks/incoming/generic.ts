import type { Reading, Source } from './event.ts'
import { deliveryIdIn, proveStandard } from './proofs.ts'
import { at, lineOf, link, textOf, word } from './words.ts'

const texts = ['text', 'message', 'title', 'summary', 'description', 'data.text', 'data.message', 'data.title']
const failures: ReadonlySet<string> = new Set(['failed', 'failure', 'error', 'firing', 'down', 'critical'])

/**
 * Any sender of JSON or plain text. With a signing secret, calls are signed as in Standard Webhooks (standardwebhooks.com); otherwise the
 * secret in the URL proves them. Without a delivery id each call is a new message.
 */
export const generic: Source = {
  prove: (call, secrets, now) =>
    secrets.length > 0
      ? proveStandard(call, secrets, now)
      : { ok: true, deliveryId: deliveryIdIn(call, ['webhook-id', 'idempotency-key']) },
  takesText: true,
  formHint: "Send JSON or plain text: curl -H 'content-type: text/plain' --data-binary 'The backup is done.' URL",
  read: readGeneric,
  example: { event: 'example', line: 'The backup is done.', text: 'The backup is done.', failed: false },
}

function readGeneric(payload: unknown): Reading {
  if (typeof payload === 'string')
    return { event: 'text', ...saying(textOf(payload) ?? '(an empty text)'), failed: false }
  const event = word(payload, ['event', 'type', 'event_type', 'action'], 60) || 'event'
  const text = texts.map(path => textOf(at(payload, path))).find(found => found !== undefined)
  const said = text ?? `${event === 'event' ? '' : `${event}: `}${lineOf(payload, 400) || String(payload)}`
  return {
    event,
    ...saying(said),
    link: link(payload, ['url', 'link', 'html_url', 'data.url', 'data.link']),
    actor: word(payload, ['actor', 'user', 'author', 'by', 'actor.name', 'user.name', 'author.name']) || undefined,
    failed:
      at(payload, 'failed') === true || failures.has(word(payload, ['status', 'state', 'severity']).toLowerCase()),
  }
}

function saying(text: string): { line: string; text: string } {
  return { line: lineOf(text, 400), text }
}
