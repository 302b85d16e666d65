import { openApi } from '../../protocol/openapi.ts'
import type { Watch } from '../seeing/watch.ts'
import type { Handlers } from './handler.ts'

/** `GET /metrics`, `GET /openapi.json` and `GET /v1/admin/audit`. */
export function seeing({ metrics, audit }: Watch): Pick<Handlers, 'metrics' | 'openapi' | 'listAudit'> {
  let contract: string | undefined
  return {
    metrics: async ({ hub, request, reply }) => {
      const text = await metrics.text(hub, { auditUnwritten: audit.unwritten, byMember: request.identity !== null })
      reply.type(metrics.contentType).send(text)
      return undefined
    },
    openapi: ({ reply }) => {
      contract ??= JSON.stringify(openApi())
      reply.type('application/json; charset=utf-8').send(contract)
      return undefined
    },
    listAudit: ({ hub, identity, query }) => {
      audit.flush()
      return hub.reader.ask('audit', query, identity.tokenId)
    },
  }
}

/** `handle`, counted as an open stream for as long as it runs. */
export function counted({ metrics }: Watch, handle: Handlers['events']): Handlers['events'] {
  return async call => {
    metrics.streamOpened()
    try {
      return await handle(call)
    } finally {
      metrics.streamClosed()
    }
  }
}
