import { createHash, randomInt } from 'node:crypto'

/** Crockford's base 32: without I, L, O and U, so that a code can be read aloud. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Four groups of four: 80 random bits. */
export const joinCodePattern = /^[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3}$/

/** Time for which a code can be exchanged for a token, in seconds. */
export const joinCodeLifeS = 600

export function mintJoinCode(): string {
  const group = () => Array.from({ length: 4 }, () => alphabet[randomInt(32)]).join('')
  return [group(), group(), group(), group()].join('-')
}

/** Returns a code as typed (lower case, without or with other dashes, O for 0) in canonical form. */
export function normalizeJoinCode(typed: string): string {
  const plain = typed.toUpperCase().replace(/[\s-]/g, '').replace(/[IL]/g, '1').replace(/O/g, '0')
  return plain.match(/.{1,4}/g)?.join('-') ?? ''
}

/** Returns the hash of a code, the only part of it that the hub stores. */
export function hashJoinCode(code: string): Buffer {
  return createHash('sha256').update(`join:${code}`).digest()
}
