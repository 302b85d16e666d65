import manifest from '../../package.json' with { type: 'json' }

/** The version of this program, hub and machine's side alike. */
export const version: string = manifest.version

/**
 * The version of the protocol. It rises only when something is taken away or changes its meaning; what is added (a route, a field that
 * may be left out, a field of an answer, an event) leaves it as it is. docs/protocol.md has the rule.
 */
export const protocol = 1

/** The oldest protocol that this hub still speaks: one that was current within the last 90 days. */
export const oldestProtocol = 1

/** Whether version `a` came before `b`, by their three numbers. False for what is no version. */
export function isOlder(a: string, b: string): boolean {
  const numbers = (text: string) => /^(\d+)\.(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number)
  const [x, y] = [numbers(a), numbers(b)]
  if (!x || !y) return false
  const index = x.findIndex((part, n) => part !== y[n])
  return index >= 0 && x[index]! < y[index]!
}
