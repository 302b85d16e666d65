import { createHash, randomBytes } from 'node:crypto'

/** What a webhook is called with. */
export interface Secrets {
  /** 256 random bits: the last part of the path. The hub keeps the hash. */
  secret: string
  /** What its source signs with: the hub keeps it, as it has to sign the same. */
  signingSecret?: string
}

/** A signing secret is `whsec_` and 32 bytes in base64, as Standard Webhooks and GitLab have it. GitHub takes any text. */
export function newSecrets(isSigned: boolean): Secrets {
  const secret = randomBytes(32).toString('base64url')
  return isSigned ? { secret, signingSecret: `whsec_${randomBytes(32).toString('base64')}` } : { secret }
}

export function hashOfSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
