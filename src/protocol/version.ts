import manifest from '../../package.json' with { type: 'json' }

/** The version of this program, shared by hub and client. */
export const version: string = manifest.version

/**
 * The version of the protocol. It increases only when something is removed or changes its meaning, not when something is added (a route,
 * an optional field of a request, a field of a response, an event). The rule is in docs/protocol.md.
 */
export const protocol = 1

/** The oldest protocol that this hub still supports: one that was current within the last 90 days. */
export const oldestProtocol = 1

/** Reports whether version `a` is older than `b`, by their three numbers. False if either is not a version. */
export function isOlder(a: string, b: string): boolean {
  const numbers = (text: string) => /^(\d+)\.(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number)
  const [x, y] = [numbers(a), numbers(b)]
  if (!x || !y) return false
  const index = x.findIndex((part, n) => part !== y[n])
  return index >= 0 && x[index]! < y[index]!
}
