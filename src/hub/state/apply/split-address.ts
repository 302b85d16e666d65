/** The name of a typed address, and what stands behind it: of `sean/billing`, `sean` and `/billing`. */
export function splitAddress(typed: string): { name: string; rest: string } {
  const slash = typed.indexOf('/')
  return slash < 0 ? { name: typed, rest: '' } : { name: typed.slice(0, slash), rest: typed.slice(slash) }
}
