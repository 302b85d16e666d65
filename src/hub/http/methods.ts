import { api } from '../../protocol/api.ts'
import type { Route } from '../../protocol/routes/route.ts'

const paths = Object.values(api).map(route => {
  const methods: string[] = hasHead(route) ? [route.method, 'HEAD'] : [route.method]
  return { methods, matches: new RegExp(`^${route.path.replaceAll('.', '\\.').replace(/:[a-z]+/gi, '[^/]+')}$`) }
})

/** Whether a route answers HEAD as well. A stream of events has no head without a stream. */
export function hasHead(route: Route): boolean {
  return route.method === 'GET' && route !== api.events
}

/** The methods that `url` has a route for, whatever its query: empty for a path that does not exist. */
export function methodsOf(url: string): string[] {
  const path = url.split('?', 1)[0]!
  return paths.filter(({ matches }) => matches.test(path)).flatMap(({ methods }) => methods)
}
