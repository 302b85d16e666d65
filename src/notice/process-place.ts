import { createHash } from 'node:crypto'
import { bootId, type Platform, thisPlatform } from '../disk/platform.ts'

let place: string | undefined

/**
 * Returns the name of the scope in which this process's view of process ids is valid: one boot of one host, and one container on it.
 * Several scopes may share a home directory. 12 hexadecimal digits.
 */
export function processPlace(): string {
  place ??= placeOn(thisPlatform)
  return place
}

/** Returns the name for a given system. */
export function placeOn(platform: Platform): string {
  const named = `${bootId(platform)} ${platform.link('/proc/self/ns/pid')}`.trim() || platform.hostname()
  return createHash('sha256').update(named).digest('hex').slice(0, 12)
}
