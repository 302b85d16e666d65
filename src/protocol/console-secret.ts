import { createHash, randomBytes } from 'node:crypto'

/** Returns a new secret for the console: 256 random bits in base64url. */
export function newConsoleSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** Returns the SHA-256 of a secret, the only part of it that the hub stores. */
export function hashConsoleSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
