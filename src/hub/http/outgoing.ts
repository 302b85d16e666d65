import type { OutgoingAdmin } from '../outgoing-admin.ts'
import type { Handlers } from './handler.ts'

type Names =
  | 'addOutgoing'
  | 'listOutgoing'
  | 'deleteOutgoing'
  | 'testOutgoing'
  | 'rotateOutgoing'
  | 'listDead'
  | 'retryDead'
  | 'retryAllDead'
  | 'dropDead'

/** Handlers with which the admin manages the webhooks that post events; `load` loads their module on first use. */
export function outgoingRoutes(load: () => Promise<OutgoingAdmin>): Pick<Handlers, Names> {
  return {
    addOutgoing: async ({ body, request, reply }) => {
      const added = await (await load()).add(body)
      // The audit reads the name from the request, which may lack it.
      Object.assign(request.body as object, { name: added.name })
      reply.code(201)
      return added
    },
    listOutgoing: async () => (await load()).list(),
    deleteOutgoing: async ({ params }) => (await load()).remove(params.name),
    testOutgoing: async ({ params }) => (await load()).test(params.name),
    rotateOutgoing: async ({ params }) => (await load()).rotate(params.name),
    listDead: async ({ params }) => (await load()).dead(params.name),
    retryDead: async ({ params }) => (await load()).retry(params.name, params.id),
    retryAllDead: async ({ params }) => (await load()).retry(params.name),
    dropDead: async ({ params }) => (await load()).drop(params.name),
  }
}
