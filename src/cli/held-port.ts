import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** An address with a port, as systemd lists it. */
export interface HeldPlace {
  host: string
  port: number
}

/** Returns the addresses at which systemd listens for the hub (`claude-net.socket`, with what was edited in); undefined where it does not, or is not there. */
export async function heldPlaces(): Promise<HeldPlace[] | undefined> {
  try {
    const show = [
      'show',
      'claude-net.socket',
      '-p',
      'LoadState',
      '-p',
      'UnitFileState',
      '-p',
      'ActiveState',
      '-p',
      'Listen',
    ]
    const { stdout } = await promisify(execFile)('systemctl', show)
    const isUsed = /^LoadState=loaded$/m.test(stdout) && /^(UnitFileState=enabled|ActiveState=active)$/m.test(stdout)
    return isUsed ? listenPlaces(stdout) : undefined
  } catch {
    return undefined
  }
}

/** The TCP sockets of `Listen=0.0.0.0:3500 (Stream)` and `Listen=[::]:3500 (Stream)`. */
export function listenPlaces(shown: string): HeldPlace[] {
  return [...shown.matchAll(/^(?:Listen=)?(\S+):(\d+) \(Stream\)$/gm)].map(([, host, port]) => ({
    host: host!,
    port: Number(port),
  }))
}
