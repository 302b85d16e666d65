import { api } from '../../protocol/api.ts'

const paths = Object.values(api).map(({ method, path }) => {
  return { method, matches: new RegExp(`^${path.replaceAll('.', '\\.').replace(/:[a-z]+/gi, '[^/]+')}$`) }
})

/** The methods that `url` has a route for, whatever its query: empty for a path that does not exist. */
export function methodsOf(url: string): string[] {
  const path = url.split('?', 1)[0]!
  return paths.filter(({ matches }) => matches.test(path)).map(({ method }) => method)
}
