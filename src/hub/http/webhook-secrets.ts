import { createHash, randomBytes } from 'node:crypto'

/** Credentials of the calls of one webhook. */
export interface Secrets {
  /** 256 random bits: the last part of the path. The hub stores only their hash. */
  secret: string
  /** Key with which the source signs its calls. The hub stores it, as it needs it to verify them. */
  signingSecret?: string
}

/** Makes new secrets. A signing secret is `whsec_` and 32 bytes in base64, the form of Standard Webhooks and GitLab; GitHub accepts any text. */
export function newSecrets(isSigned: boolean): Secrets {
  const secret = randomBytes(32).toString('base64url')
  return isSigned ? { secret, signingSecret: `whsec_${randomBytes(32).toString('base64')}` } : { secret }
}

export function hashOfSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
