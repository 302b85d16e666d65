import { createHmac, randomBytes } from 'node:crypto'

/** Returns a new signing secret, as in Standard Webhooks: 256 random bits in base64 after `whsec_`. */
export function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}

/**
 * Returns the headers of Standard Webhooks (github.com/standard-webhooks), with a signature by each secret; `atS` in seconds since 1970.
 */
export function signedHeaders(
  secrets: readonly string[],
  { id, atS, body }: { id: string; atS: number; body: string },
): Record<string, string> {
  const signatures = secrets.map(secret => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
    return `v1,${createHmac('sha256', key).update(`${id}.${atS}.${body}`).digest('base64')}`
  })
  return { 'webhook-id': id, 'webhook-timestamp': String(atS), 'webhook-signature': signatures.join(' ') }
}
