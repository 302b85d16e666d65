import { api } from '../../protocol/api.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { logSecretHeader } from '../../protocol/hubs.ts'
import type { Snapshots } from '../keeping/snapshots.ts'
import type { Hubs } from '../sharing/hubs.ts'
import type { Handlers } from './handler.ts'

/** `GET /v1/hubs`, `DELETE /v1/hubs/:name`, `GET /v1/hubs/snapshot`. */
export function hubsRoutes(
  hubs: Hubs,
  snapshots: Snapshots | undefined,
): Pick<Handlers, 'listHubs' | 'forgetHub' | 'hubSnapshot'> {
  return {
    listHubs: ({ identity }) => hubs.list({ isAdmin: identity.role === 'admin' }),
    hubSnapshot: async ({ request, reply }) => {
      if (!snapshots)
        throw new ClaudeNetError(
          'not_found',
          'This hub stands alone and has no snapshot for others.',
          'Its backups are in its data directory.',
        )
      const { handle, bytes } = await snapshots.open(String(request.headers[logSecretHeader] ?? ''))
      await reply
        .type(api.hubSnapshot.answer as string)
        .header('content-length', bytes)
        .header('cache-control', 'no-store')
        .send(handle.createReadStream({ end: bytes - 1 }))
      return undefined
    },
    forgetHub: async ({ params: { name } }) => {
      await hubs.forget(name)
      return { name }
    },
  }
}
