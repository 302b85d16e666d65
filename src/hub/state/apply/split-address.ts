/** Splits a typed address into its name and the rest: `sean/billing` into `sean` and `/billing`. */
export function splitAddress(typed: string): { name: string; rest: string } {
  const slash = typed.indexOf('/')
  return slash < 0 ? { name: typed, rest: '' } : { name: typed.slice(0, slash), rest: typed.slice(slash) }
}
