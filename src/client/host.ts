import { createHash } from 'node:crypto'
import { machineId, type Platform, thisPlatform } from '../disk/platform.ts'

let known: { name: string; header: string } | undefined

/**
 * Returns this host for the header of `protocol/host-header.ts`: a hash over its name and machine id (machine-id(5): a secret
 * that should leave a host only hashed), so that a clone of a container counts as another host, and its name. The name is read
 * for each request, since a host may be renamed while the program runs: all its processes then send the same.
 */
export function hostLabel(): string {
  const name = thisPlatform.hostname()
  if (known?.name !== name) known = { name, header: labelOn(thisPlatform) }
  return known.header
}

/** Returns the same for `platform`. A Mac's name changes with the network, so its id is made from its hardware id alone. */
export function labelOn(platform: Platform): string {
  const [name, machine] = [platform.hostname(), machineId(platform)]
  const hashed = platform.name === 'darwin' && machine !== '' ? machine : `${name} ${machine}`
  const id = createHash('sha256').update(`claude-net host ${hashed}`).digest('hex').slice(0, 16)
  return `${id} ${name.replace(/[^\x21-\x7e]/g, '?').slice(0, 64)}`.trim()
}
