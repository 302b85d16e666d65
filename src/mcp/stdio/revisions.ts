import { codes, isObject, type Params, RpcError } from './json-rpc.ts'

/**
 * Revisions of MCP from before 2026-07-28, newest first: a connection has one, agreed on by `initialize`. Taken from
 * SUPPORTED_PROTOCOL_VERSIONS of the MCP SDK, and held to it by a test.
 */
export const initializedRevisions = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07'] as const

/** The one in which clients may send batches, and those before it, of which JSON-RPC itself says so. */
const revisionsWithBatches: readonly string[] = ['2025-03-26', '2024-11-05', '2024-10-07']

/** Revisions in which every request names its own, and nothing is agreed on. */
export const perRequestRevisions = ['2026-07-28'] as const

const meta = {
  version: 'io.modelcontextprotocol/protocolVersion',
  client: 'io.modelcontextprotocol/clientInfo',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  server: 'io.modelcontextprotocol/serverInfo',
} as const

/** `_meta` key of what belongs to one `subscriptions/listen`. */
export const subscriptionKey = 'io.modelcontextprotocol/subscriptionId'

/** The revision that a connection speaks after `initialize` asked for `wanted`: that one, or the newest of ours. */
export function agreeOn(wanted: string): string {
  return initializedRevisions.find(revision => revision === wanted) ?? initializedRevisions[0]
}

/** Whether a client may send a batch, at `revision` or, undefined, before it has said which. */
export function allowsBatches(revision: string | undefined): boolean {
  return revision === undefined || revisionsWithBatches.includes(revision)
}

/**
 * Whether a request is of the 2026-07-28 revision: it names its revision itself. Throws where it names one that is not spoken
 * here, or lacks what goes with it.
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

/** The name of the client that sent a request of the 2026-07-28 revision, if it says so. */
export function clientNameIn({ _meta }: Params): unknown {
  const client = isObject(_meta) ? _meta[meta.client] : undefined
  return isObject(client) ? client.name : undefined
}

/** A result as the 2026-07-28 revision has it: complete, and signed. `mayBeKept` adds that nobody else may be given it. */
export function completeResult(result: object, serverInfo: object, mayBeKept: boolean): object {
  return {
    ...result,
    resultType: 'complete',
    ...(mayBeKept && { ttlMs: 0, cacheScope: 'private' }),
    _meta: { [meta.server]: serverInfo },
  }
}
