import { codes, isObject, type Params, RpcError } from './json-rpc.ts'

/**
 * Revisions of MCP before 2026-07-28, newest first, one of which `initialize` selects for a connection. Equal to
 * SUPPORTED_PROTOCOL_VERSIONS of the MCP SDK, which a test checks.
 */
export const initializedRevisions = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07'] as const

/** The revision that defines batches, and those before it, which inherit them from JSON-RPC. */
const revisionsWithBatches: readonly string[] = ['2025-03-26', '2024-11-05', '2024-10-07']

/** Revisions in which every request names its revision, and `initialize` does not exist. */
export const perRequestRevisions = ['2026-07-28'] as const

const meta = {
  version: 'io.modelcontextprotocol/protocolVersion',
  client: 'io.modelcontextprotocol/clientInfo',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  server: 'io.modelcontextprotocol/serverInfo',
} as const

/** `_meta` key that names the `subscriptions/listen` request to which a notification belongs. */
export const subscriptionKey = 'io.modelcontextprotocol/subscriptionId'

/** Returns the revision for a connection whose `initialize` requested `wanted`: that one if it is supported, otherwise the newest. */
export function agreeOn(wanted: string): string {
  return initializedRevisions.find(revision => revision === wanted) ?? initializedRevisions[0]
}

/** Reports whether a client may send a batch at `revision`, or, if undefined, before a revision is agreed on. */
export function allowsBatches(revision: string | undefined): boolean {
  return revision === undefined || revisionsWithBatches.includes(revision)
}

/**
 * Reports whether a request is of the 2026-07-28 revision, which it then names itself. Throws if it names an unsupported revision, or lacks
 * the client's capabilities.
 */
export function namesItsRevision({ _meta }: Params): boolean {
  if (!isObject(_meta) || !(meta.version in _meta)) return false
  const requested = _meta[meta.version]
  if (typeof requested !== 'string') throw new RpcError(codes.invalidParams, `${meta.version} in _meta is a text.`)
  if (!perRequestRevisions.some(revision => revision === requested)) {
    const supported = [...perRequestRevisions]
    throw new RpcError(codes.unsupportedVersion, `Unsupported protocol version: ${requested}`, { supported, requested })
  }
  if (!isObject(_meta[meta.clientCapabilities]))
    throw new RpcError(codes.invalidParams, `A request of ${requested} has ${meta.clientCapabilities} in _meta.`)
  return true
}

/** Returns the client's name from a request of the 2026-07-28 revision, if it has one. */
export function clientNameIn({ _meta }: Params): unknown {
  const client = isObject(_meta) ? _meta[meta.client] : undefined
  return isObject(client) ? client.name : undefined
}

/** Completes a result for the 2026-07-28 revision, with the server's name. `mayBeKept` adds the cache fields, with a lifetime of 0 and for this client only. */
export function completeResult(result: object, serverInfo: object, mayBeKept: boolean): object {
  return {
    ...result,
    resultType: 'complete',
    ...(mayBeKept && { ttlMs: 0, cacheScope: 'private' }),
    _meta: { [meta.server]: serverInfo },
  }
}
