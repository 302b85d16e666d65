/** Connections from the hub's own host, including those through ssh. */
const loopback = ['127.0.0.0/8', '::1/128']

/**
 * Returns the typed ranges of addresses, as `claude-net bind --from` takes them; the hub validates each. `anywhere` and an empty text mean
 * none.
 */
export function rangesIn(typed: string): string[] {
  return typed
    .split(/[\s,]+/)
    .filter(word => word !== '' && word !== 'anywhere')
    .flatMap(word => (word === 'loopback' ? loopback : [word]))
}
