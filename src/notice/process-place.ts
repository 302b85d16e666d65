import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

let place: string | undefined

/**
 * Where the numbers of processes mean what they mean to this one: one boot of one host, and one container of it. A home directory
 * may be shared between several. 12 hexadecimal digits.
 */
export function processPlace(): string {
  place ??= createHash('sha256').update(named()).digest('hex').slice(0, 12)
  return place
}

function named(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return hostname()
  }
}
