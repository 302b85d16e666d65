import { openApi } from '../../protocol/openapi.ts'
import type { Watch } from '../seeing/watch.ts'
import type { Handlers } from './handler.ts'

/**
 * Lifetime of the metrics for callers without a token, as a multiple of the time that it took to gather them. Such requests are not
 * limited, and gathering reads a row for each member.
 */
const sharedFor = 10

/** `GET /metrics`, `GET /openapi.json` and `GET /v1/admin/audit`. */
export function seeing({ metrics, audit }: Watch): Pick<Handlers, 'metrics' | 'openapi' | 'listAudit'> {
  let contract: string | undefined
  let shared: { text: Promise<string>; until: number } | undefined
  return {
    metrics: async ({ hub, request, reply }) => {
      const textFor = (byMember: boolean) => metrics.text(hub, { auditUnwritten: audit.unwritten, byMember })
      const now = performance.now()
      if (request.identity === null && !(shared && now < shared.until)) {
        const text = textFor(false)
        shared = { text, until: now + sharedFor * (performance.now() - now) }
      }
      reply.type(metrics.contentType).send(await (request.identity === null ? shared!.text : textFor(true)))
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

/** Wraps `handle` so that each call counts as an open stream while it runs. */
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
