import { createHash, randomInt, timingSafeEqual } from 'node:crypto'

/**
 * A token is `clnt_<role>_<id>_<secret>_<checksum>`:
 *
 *   role      m machine, h human, a admin
 *   id        8 base62 characters, public: the hub looks the token up by it, and logs name it
 *   secret    43 base62 characters from the system's random source, 256 bits
 *   checksum  6 base62 characters, 32 bits of the SHA-256 of all before it: distinguishes a typo or a truncated token from a
 *             wrong one, and gives scanners for leaked secrets few false positives (as in GitHub's tokens)
 */
export const tokenPattern = /^clnt_([mha])_([0-9A-Za-z]{8})_([0-9A-Za-z]{43})_([0-9A-Za-z]{6})$/

/** A header of every response to a token that its machine is to renew. */
export const renewHeader = 'claude-net-renew'

export type Role = 'machine' | 'human' | 'admin'

const letters = { machine: 'm', human: 'h', admin: 'a' } as const
const roles = { m: 'machine', h: 'human', a: 'admin' } as const
const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** The public parts of a well-formed token. `role` is only a claim: the hub uses the role stored under `id`. */
export interface ParsedToken {
  role: Role
  id: string
}

/** Returns a new token with 256 random bits. The caller stores it; the hub receives it once and stores its hash. */
export function mintToken(role: Role): string {
  const head = `clnt_${letters[role]}_${randomBase62(8)}_${randomBase62(43)}`
  return `${head}_${checksum(head)}`
}

/** Parses a token's public parts. Returns undefined if it is malformed or its checksum is wrong. */
export function parseToken(token: string): ParsedToken | undefined {
  const match = tokenPattern.exec(token)
  if (!match) return undefined
  const [, letter, id, , sum] = match as unknown as [string, keyof typeof roles, string, string, string]
  if (checksum(token.slice(0, token.lastIndexOf('_'))) !== sum) return undefined
  return { role: roles[letter], id }
}

/** Returns the token of an `Authorization` header, or undefined. The scheme is case-insensitive (RFC 9110, section 11.1). */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
}

/** Returns the hash that the hub stores: SHA-256. A slow hash adds nothing to 256 random bits. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/** Compares two hashes in constant time. */
export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b)
}

function randomBase62(length: number): string {
  return Array.from({ length }, () => base62[randomInt(62)]).join('')
}

function checksum(text: string): string {
  let value = hashToken(text).readUInt32BE()
  let out = ''
  for (let i = 0; i < 6; i++) {
    out = base62[value % 62] + out
    value = Math.floor(value / 62)
  }
  return out
}
