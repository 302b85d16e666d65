/** First descriptor that systemd passes (SD_LISTEN_FDS_START of sd_listen_fds(3)). */
const first = 3

/**
 * Returns the descriptors of the listening sockets that systemd passed to this process, in the order of its socket unit; none if it was
 * started otherwise. Removes them from `env`, so that child processes do not inherit them.
 */
export function takeHandedSockets(env: NodeJS.ProcessEnv = process.env, pid = process.pid): number[] {
  const { LISTEN_PID: of, LISTEN_FDS: count } = env
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name]
  if (Number(of) !== pid || !/^[1-9]\d*$/.test(count ?? '')) return []
  return Array.from({ length: Number(count) }, (_, n) => first + n)
}

/** Address and port of a listening socket; an IPv6 address may have brackets. */
export interface Place {
  host: string
  port: number
}

/** Reports whether a hub with the host and port of `wanted` would itself listen at `place`. */
export function isSamePlace(wanted: Place, place: Place): boolean {
  const hosts = wanted.host === 'localhost' ? ['127.0.0.1', '::1'] : [bare(wanted.host)]
  return wanted.port === place.port && hosts.includes(bare(place.host))
}

/** Formats a place: `0.0.0.0:3500`, `[::]:3500`. */
export function placeInWords({ host, port }: Place): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '').toLowerCase()
}
