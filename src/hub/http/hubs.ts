import type { Hubs } from '../sharing/hubs.ts'
import type { Handlers } from './handler.ts'

/** `GET /v1/hubs`, `DELETE /v1/hubs/:name`. */
export function hubsRoutes(hubs: Hubs): Pick<Handlers, 'listHubs' | 'forgetHub'> {
  return {
    listHubs: ({ identity }) => hubs.list({ isAdmin: identity.role === 'admin' }),
    forgetHub: async ({ params: { name } }) => {
      await hubs.forget(name)
      return { name }
    },
  }
}
