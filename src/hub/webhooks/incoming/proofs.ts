import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Proof, WebhookCall } from './event.ts'

/** How far the time of a signed call may be from the hub's clock, in ms: what Standard Webhooks suggests. */
const toleranceMs = 300_000

/** A header that came once; undefined where it is missing or came more than once. */
export function header({ headers }: WebhookCall, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** The source's name for a delivery, in a header: what no sender would choose is none. */
export function deliveryIdIn(call: WebhookCall, names: readonly string[]): string | undefined {
  const found = names.map(name => header(call, name)).find(value => value !== undefined)
  return found !== undefined && /^[\x21-\x7e]{1,200}$/.test(found) ? found : undefined
}

export function sha256(bytes: Uint8Array | string): Buffer {
  return createHash('sha256').update(bytes).digest()
}

/** Whether a header has the HMAC-SHA256 of the body in hex, by one of the secrets, behind `prefix`. Takes as long whatever differs. */
export function isSignedInHex(said: string, prefix: string, raw: Buffer, secrets: readonly string[]): boolean {
  const hex = new RegExp(`^${prefix}([0-9a-f]{64})$`, 'i').exec(said)?.[1]
  if (hex === undefined) return false
  const claimed = Buffer.from(hex, 'hex')
  return isAnyOf(
    secrets.map(secret => createHmac('sha256', secret).update(raw).digest()),
    claimed,
  )
}

/** Whether a text is one of the secrets. Takes as long whatever differs. */
export function isOneOf(said: string, secrets: readonly string[]): boolean {
  return isAnyOf(secrets.map(sha256), sha256(said))
}

/** Standard Webhooks: an HMAC-SHA256 of id, time and body, each of which is proven by it. */
export function proveStandard(call: WebhookCall, secrets: readonly string[], now: number): Proof {
  const [id, time, said] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(name => header(call, name))
  if (id === undefined || time === undefined || said === undefined) {
    return unproven(
      'it is not signed: webhook-id, webhook-timestamp and webhook-signature must each be there once',
      'Give the signing secret of this webhook to what sends, which signs as Standard Webhooks has it.',
    )
  }
  // A dot in the id would leave open where it ends in what is signed.
  const isFormed = /^[\x21-\x2d\x2f-\x7e]{1,200}$/.test(id) && /^[0-9]{1,12}$/.test(time)
  const signed = Buffer.concat([Buffer.from(`${id}.${time}.`), call.raw])
  const expected = secrets.map(secret => createHmac('sha256', keyOf(secret)).update(signed).digest())
  const claimed = said.split(' ').slice(0, 10).flatMap(versioned)
  const matches = claimed.map(each => isAnyOf(expected, each))
  if (!isFormed || !matches.includes(true)) return wrongSignature
  if (Math.abs(Number(time) * 1000 - now) > toleranceMs) {
    return unproven(
      'its time is more than 5 minutes from the clock of the hub',
      'Set the clocks. A call that is sent again must be signed again, with the time of then.',
    )
  }
  return { ok: true, deliveryId: id }
}

export function unproven(why: string, hint: string): Proof {
  return { ok: false, why, hint }
}

export const wrongSignature: Proof = unproven(
  'its signature is not by the secret of this webhook',
  'Give the signing secret of this webhook to what sends. claude-net webhook rotate NAME makes another.',
)

/** The bytes of `whsec_…`. */
function keyOf(secret: string): Buffer {
  return Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
}

function versioned(signature: string): Buffer[] {
  const base64 = /^v1,([A-Za-z0-9+/]{43}=)$/.exec(signature)?.[1]
  return base64 === undefined ? [] : [Buffer.from(base64, 'base64')]
}

function isAnyOf(expected: readonly Buffer[], claimed: Buffer): boolean {
  // Each is compared, so that the time does not tell which was close.
  return expected.map(each => each.length === claimed.length && timingSafeEqual(each, claimed)).includes(true)
}
