import { api } from '../../protocol/api.ts'
import type { Route } from '../../protocol/routes/route.ts'

const paths = Object.values(api).map(route => {
  const methods: string[] = hasHead(route) ? [route.method, 'HEAD'] : [route.method]
  return { methods, matches: new RegExp(`^${route.path.replaceAll('.', '\\.').replace(/:[a-z]+/gi, '[^/]+')}$`) }
})

/** Reports whether a route accepts HEAD as well: every GET does but the stream of events. */
export function hasHead(route: Route): boolean {
  return route.method === 'GET' && route !== api.events
}

/** Returns the methods for which `url` has a route, ignoring its query; empty for an unknown path. */
export function methodsOf(url: string): string[] {
  const path = url.split('?', 1)[0]!
  return paths.filter(({ matches }) => matches.test(path)).flatMap(({ methods }) => methods)
}
