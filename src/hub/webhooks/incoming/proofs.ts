import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Proof, WebhookCall } from './event.ts'

/** Largest allowed difference between the timestamp of a signed call and the hub's clock, in ms: as Standard Webhooks suggests. */
const toleranceMs = 300_000

/** Returns a header; undefined if it is missing or repeated. */
export function header({ headers }: WebhookCall, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Returns the delivery id from the first of these headers; undefined if it has characters or a length that no source uses. */
export function deliveryIdIn(call: WebhookCall, names: readonly string[]): string | undefined {
  const found = names.map(name => header(call, name)).find(value => value !== undefined)
  return found !== undefined && /^[\x21-\x7e]{1,200}$/.test(found) ? found : undefined
}

export function sha256(bytes: Uint8Array | string): Buffer {
  return createHash('sha256').update(bytes).digest()
}

/** Reports whether a header has the HMAC-SHA256 of the body by one of the secrets, in hex after `prefix`. Runs in constant time. */
export function isSignedInHex(said: string, prefix: string, raw: Buffer, secrets: readonly string[]): boolean {
  const hex = new RegExp(`^${prefix}([0-9a-f]{64})$`, 'i').exec(said)?.[1]
  if (hex === undefined) return false
  const claimed = Buffer.from(hex, 'hex')
  return isAnyOf(
    secrets.map(secret => createHmac('sha256', secret).update(raw).digest()),
    claimed,
  )
}

/** Reports whether `said` is one of the secrets. Runs in constant time. */
export function isOneOf(said: string, secrets: readonly string[]): boolean {
  return isAnyOf(secrets.map(sha256), sha256(said))
}

/** Verifies a call by Standard Webhooks: an HMAC-SHA256 over id, time and body. */
export function proveStandard(call: WebhookCall, secrets: readonly string[], now: number): Proof {
  const [id, time, said] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(name => header(call, name))
  if (id === undefined || time === undefined || said === undefined) {
    return unproven(
      'it is not signed: webhook-id, webhook-timestamp and webhook-signature must each be present once',
      'Give the signing secret of this webhook to the sender, which signs as in Standard Webhooks.',
    )
  }
  // With a dot in the id, the signed text could be read as another id, time and body.
  const isFormed = /^[\x21-\x2d\x2f-\x7e]{1,200}$/.test(id) && /^[0-9]{1,12}$/.test(time)
  const signed = Buffer.concat([Buffer.from(`${id}.${time}.`), call.raw])
  const expected = secrets.map(secret => createHmac('sha256', keyOf(secret)).update(signed).digest())
  const claimed = said.split(' ').slice(0, 10).flatMap(versioned)
  const matches = claimed.map(each => isAnyOf(expected, each))
  if (!isFormed || !matches.includes(true)) return wrongSignature
  if (Math.abs(Number(time) * 1000 - now) > toleranceMs) {
    return unproven(
      'its timestamp is more than 5 minutes off the hub’s clock',
      'Set the clocks. A retry must be signed again, with its own time.',
    )
  }
  return { ok: true, deliveryId: id }
}

export function unproven(why: string, hint: string): Proof {
  return { ok: false, why, hint }
}

export const wrongSignature: Proof = unproven(
  'its signature was not made with the secret of this webhook',
  'Give the signing secret of this webhook to the sender. claude-net webhook rotate NAME makes a new one.',
)

/** Decodes the secret in `whsec_…`. */
function keyOf(secret: string): Buffer {
  return Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
}

function versioned(signature: string): Buffer[] {
  const base64 = /^v1,([A-Za-z0-9+/]{43}=)$/.exec(signature)?.[1]
  return base64 === undefined ? [] : [Buffer.from(base64, 'base64')]
}

function isAnyOf(expected: readonly Buffer[], claimed: Buffer): boolean {
  // Compare each, so that the time does not reveal which was close.
  return expected.map(each => each.length === claimed.length && timingSafeEqual(each, claimed)).includes(true)
}
