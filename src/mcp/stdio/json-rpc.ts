/** Types and functions for the part of JSON-RPC 2.0 (jsonrpc.org/specification) that a stdio server needs. MCP excludes null as an id. */
export type RequestId = string | number

export type Params = Record<string, unknown>

/** A message from a client. */
export type Incoming =
  | { kind: 'request'; id: RequestId; method: string; params: Params }
  | { kind: 'notification'; method: string; params: Params }
  /** A response to a request of ours. */
  | { kind: 'response' }
  | { kind: 'invalid'; id: RequestId | null; error: RpcError }

export type Outgoing =
  | { jsonrpc: '2.0'; id: RequestId; result: object }
  | { jsonrpc: '2.0'; id: RequestId | null; error: { code: number; message: string; data?: object } }
  | { jsonrpc: '2.0'; method: string; params: object }

export const codes = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  /** Defined by MCP: the request names a revision that this server does not support. */
  unsupportedVersion: -32022,
} as const

/** An error that is returned to the client with this code. */
export class RpcError extends Error {
  readonly code: number
  readonly data: object | undefined

  constructor(code: number, message: string, data?: object) {
    super(message)
    this.code = code
    this.data = data
  }
}

/** Classifies one parsed message. */
export function classify(message: unknown): Incoming {
  if (!isObject(message)) return invalid(null, 'A message is an object.')
  const { jsonrpc, method, params = {} } = message
  const hasId = 'id' in message
  const id = isId(message.id) ? message.id : null
  if (jsonrpc !== '2.0') return invalid(id, 'A message has jsonrpc: "2.0".')
  if (method === undefined && ('result' in message || 'error' in message)) return { kind: 'response' }
  if (typeof method !== 'string') return invalid(id, 'A request has a method.')
  if (hasId && id === null) return invalid(null, 'An id is a string or a whole number.')
  if (!isObject(params)) {
    if (id === null) return { kind: 'notification', method, params: {} }
    return { kind: 'invalid', id, error: new RpcError(codes.invalidParams, 'params is an object.') }
  }
  return id === null ? { kind: 'notification', method, params } : { kind: 'request', id, method, params }
}

export function failure(id: RequestId | null, error: unknown): Outgoing {
  const { code, message, data } =
    error instanceof RpcError
      ? error
      : { code: codes.internal, message: error instanceof Error ? error.message : String(error), data: undefined }
  return { jsonrpc: '2.0', id, error: { code, message, ...(data && { data }) } }
}

export function isObject(value: unknown): value is Params {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Returns the id of a request of which only the end is known; null if it is not there. Clients of ours write it last. */
export function idAtEnd(tail: string): RequestId | null {
  const text = /[,{]\s*"id"\s*:\s*("[^"\\]{1,100}"|\d{1,15})\s*\}\s*$/.exec(tail)?.[1]
  return text === undefined ? null : (JSON.parse(text) as RequestId)
}

function invalid(id: RequestId | null, message: string): Incoming {
  return { kind: 'invalid', id, error: new RpcError(codes.invalidRequest, message) }
}

function isId(id: unknown): id is RequestId {
  return typeof id === 'string' || Number.isSafeInteger(id)
}
