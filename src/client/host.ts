import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

let known: { name: string; header: string } | undefined

/**
 * This host for the header of `protocol/host-header.ts`: a hash over its name and machine id (machine-id(5): a secret that
 * should leave a host only hashed), so that a container that was cloned is another one, and its name. Asked anew for each
 * request, since a host may get another name while we run: then all its processes tell the same.
 */
export function hostLabel(): string {
  const name = hostname()
  if (known?.name !== name) {
    const id = createHash('sha256').update(`claude-net host ${name} ${machineId()}`).digest('hex').slice(0, 16)
    known = { name, header: `${id} ${name.replace(/[^\x21-\x7e]/g, '?').slice(0, 64)}`.trim() }
  }
  return known.header
}

function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim()
  } catch {
    return ''
  }
}
