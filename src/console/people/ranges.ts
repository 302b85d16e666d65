/** Connections from the hub's own host, including those through ssh. */
const loopback = ['127.0.0.0/8', '::1/128']

/** The ranges of addresses that a person typed, as `claude-net bind --from` takes them; the hub checks each. `anywhere` and nothing are none. */
export function rangesIn(typed: string): string[] {
  return typed
    .split(/[\s,]+/)
    .filter(word => word !== '' && word !== 'anywhere')
    .flatMap(word => (word === 'loopback' ? loopback : [word]))
}
