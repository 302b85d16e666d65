import { createHash } from 'node:crypto'
import { bootId, type Platform, thisPlatform } from '../disk/platform.ts'

let place: string | undefined

/**
 * Where the numbers of processes mean what they mean to this one: one boot of one host, and one container of it. A home directory
 * may be shared between several. 12 hexadecimal digits.
 */
export function processPlace(): string {
  place ??= placeOn(thisPlatform)
  return place
}

/** The same on another system. */
export function placeOn(platform: Platform): string {
  const named = `${bootId(platform)} ${platform.link('/proc/self/ns/pid')}`.trim() || platform.hostname()
  return createHash('sha256').update(named).digest('hex').slice(0, 12)
}
