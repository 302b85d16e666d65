/** The first descriptor that systemd hands over (SD_LISTEN_FDS_START of sd_listen_fds(3)). */
const first = 3

/**
 * The descriptors of the listening sockets that systemd has handed to this process, in the order of its socket unit; none where it was
 * started otherwise. They can be asked for once: processes that the hub starts are not told of them.
 */
export function takeHandedSockets(env: NodeJS.ProcessEnv = process.env, pid = process.pid): number[] {
  const { LISTEN_PID: of, LISTEN_FDS: count } = env
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name]
  if (Number(of) !== pid || !/^[1-9]\d*$/.test(count ?? '')) return []
  return Array.from({ length: Number(count) }, (_, n) => first + n)
}

/** Where a socket listens, in any form: an IPv6 address with or without brackets. */
export interface Place {
  host: string
  port: number
}

/** Whether a hub that was told `wanted` would listen at `place` by itself. */
export function isSamePlace(wanted: Place, place: Place): boolean {
  const hosts = wanted.host === 'localhost' ? ['127.0.0.1', '::1'] : [bare(wanted.host)]
  return wanted.port === place.port && hosts.includes(bare(place.host))
}

/** A place as it is written: `0.0.0.0:3500`, `[::]:3500`. */
export function placeInWords({ host, port }: Place): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '').toLowerCase()
}
