import { createHmac, randomBytes } from 'node:crypto'

/** A new signing secret, as Standard Webhooks writes one: 256 random bits in base64 behind `whsec_`. */
export function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}

/** The headers of Standard Webhooks (github.com/standard-webhooks): a signature by each secret, `atS` in seconds since 1970. */
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
