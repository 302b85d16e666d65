import { createHash, randomBytes } from 'node:crypto'

/** A new secret of the console: 256 random bits in base64url. */
export function newConsoleSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** What the hub stores of a secret: its SHA-256. */
export function hashConsoleSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
