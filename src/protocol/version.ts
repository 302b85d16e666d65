import manifest from '../../package.json' with { type: 'json' }

/** The version of this program, hub and machine's side alike. */
export const version: string = manifest.version

/** Whether version `a` came before `b`, by their three numbers. False for what is no version. */
export function isOlder(a: string, b: string): boolean {
  const numbers = (text: string) => /^(\d+)\.(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number)
  const [x, y] = [numbers(a), numbers(b)]
  if (!x || !y) return false
  const index = x.findIndex((part, n) => part !== y[n])
  return index >= 0 && x[index]! < y[index]!
}
