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

/** What the admin asks of the webhooks that post events; `desk` loads them when they are first asked for. */
export function outgoingRoutes(desk: () => Promise<OutgoingAdmin>): Pick<Handlers, Names> {
  return {
    addOutgoing: async ({ body, request, reply }) => {
      const added = await (await desk()).add(body)
      // The audit takes the name from the request, where it may have been left out.
      Object.assign(request.body as object, { name: added.name })
      reply.code(201)
      return added
    },
    listOutgoing: async () => (await desk()).list(),
    deleteOutgoing: async ({ params }) => (await desk()).remove(params.name),
    testOutgoing: async ({ params }) => (await desk()).test(params.name),
    rotateOutgoing: async ({ params }) => (await desk()).rotate(params.name),
    listDead: async ({ params }) => (await desk()).dead(params.name),
    retryDead: async ({ params }) => (await desk()).retry(params.name, params.id),
    retryAllDead: async ({ params }) => (await desk()).retry(params.name),
    dropDead: async ({ params }) => (await desk()).drop(params.name),
  }
}
