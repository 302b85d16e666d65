import type { Readable, Writable } from 'node:stream'
import {
  classify,
  codes,
  failure,
  idAtEnd,
  isObject,
  type Outgoing,
  type Params,
  type RequestId,
  RpcError,
} from './json-rpc.ts'
import { LineReader } from './lines.ts'
import {
  agreeOn,
  allowsBatches,
  clientNameIn,
  completeResult,
  namesItsRevision,
  perRequestRevisions,
  subscriptionKey,
} from './revisions.ts'

/** Most bytes of one message. A tool accepts texts of 32 KiB, and reports longer ones itself. */
const maxLineBytes = 10 * 1024 * 1024

/** Most messages in one batch. */
const maxBatch = 100

/**
 * A client that cannot be pushed anything in the 2026-07-28 revision, yet requests it first. It is not offered, so that the client falls
 * back to an earlier one.
 */
const needsPushes = 'claude-code'

export interface CalledTool {
  id: RequestId
  meta: Params
  /** Aborted when the client cancels the call or disconnects. */
  signal: AbortSignal
}

export interface StdioServerOptions {
  info: { name: string; version: string }
  instructions: string
  /** Capabilities besides tools. */
  capabilities: object
  tools: readonly { name: string }[]
  stdin?: Readable
  stdout?: Writable
}

export interface StdioHandlers {
  /** Runs one of the tools. An error that it throws becomes an internal error. */
  callTool: (name: string, given: object, call: CalledTool) => Promise<object>
  /** Called with every message of the client before it is processed; `cancelled` is the request that it cancels. */
  onMessage?: (cancelled: RequestId | undefined) => void
  /** Called after a result has been written to the client in full. */
  onAnswered?: (id: RequestId, method: string) => void
}

/**
 * An MCP server over stdin and stdout that offers only tools. It does without the SDK, which would cost each session of a machine
 * 20 MB and most of its start time. It supports every revision that the SDK supports, and determines the revision of each request from
 * the request itself (see revisions.ts). Its responses to special input:
 *
 *   a line that is not JSON             -32700, id null
 *   not a JSON-RPC 2.0 message          -32600, with its id if it has one
 *   a line of more than 10 MiB          -32600; the rest of it is skipped
 *   an unknown method                   -32601
 *   an unknown tool, invalid params     -32602
 *   a batch                             one array of responses up to revision 2025-03-26, -32600 in later ones
 *   notifications/cancelled             that request gets no response
 *   any other notification              ignored
 */
export class StdioServer {
  readonly #options: StdioServerOptions
  readonly #stdin: Readable
  readonly #stdout: Writable
  #handlers: StdioHandlers | undefined
  readonly #underWay = new Map<RequestId, AbortController>()
  /** Revision that `initialize` agreed on. */
  #revision: string | undefined
  #isClosed = false
  #close!: () => void

  /** Resolves when the client has disconnected: stdin has ended, or stdout cannot be written. */
  readonly closed: Promise<void>

  constructor(options: StdioServerOptions) {
    this.#options = options
    this.#stdin = options.stdin ?? process.stdin
    this.#stdout = options.stdout ?? process.stdout
    this.closed = new Promise(resolve => (this.#close = resolve))
  }

  /** Starts reading stdin. Called once. */
  start(handlers: StdioHandlers): void {
    this.#handlers = handlers
    const reader = new LineReader(maxLineBytes, {
      onLine: line => void this.#take(line),
      onTooLong: tail => void this.#refuse(idAtEnd(tail), codes.invalidRequest, tooLong),
    })
    const end = () => this.#end()
    this.#stdin.on('data', (chunk: Buffer) => this.#isClosed || reader.push(chunk))
    // Without a listener an error would end the process; 'close' follows it.
    this.#stdin.on('error', () => {})
    for (const event of ['end', 'close']) this.#stdin.on(event, end)
    this.#stdout.on('error', end)
  }

  /** Sends a notification. Does nothing until the client has agreed on a revision by `initialize`. */
  async notify(method: string, params: object): Promise<void> {
    if (this.#revision !== undefined) await this.#write({ jsonrpc: '2.0', method, params })
  }

  #end(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const call of this.#underWay.values()) call.abort()
    this.#close()
  }

  async #take(line: string): Promise<void> {
    if (line.trim() === '') return
    let message: unknown
    try {
      message = JSON.parse(line)
    } catch {
      return this.#refuse(null, codes.parse, 'A line is not JSON.')
    }
    if (!Array.isArray(message)) return this.#takeAll([message])
    if (!allowsBatches(this.#revision))
      return this.#refuse(null, codes.invalidRequest, `Revision ${this.#revision} has no batches.`)
    if (message.length === 0 || message.length > maxBatch)
      return this.#refuse(null, codes.invalidRequest, `A batch has 1 to ${maxBatch} messages.`)
    return this.#takeAll(message, true)
  }

  /** Processes messages concurrently, and writes their responses once all have one: for a batch, as one array. */
  async #takeAll(messages: unknown[], isBatch = false): Promise<void> {
    const answered: [RequestId, string][] = []
    const answers = await Promise.all(messages.map(message => this.#handle(message, answered)))
    const outgoing = answers.filter(answer => answer !== undefined)
    if (outgoing.length === 0) return
    try {
      await this.#write(isBatch ? outgoing : outgoing[0]!)
    } catch {
      return // The client has disconnected, and `closed` resolves.
    }
    for (const [id, method] of answered) this.#handlers?.onAnswered?.(id, method)
  }

  async #handle(message: unknown, answered: [RequestId, string][]): Promise<Outgoing | undefined> {
    const incoming = classify(message)
    if (incoming.kind === 'invalid') return failure(incoming.id, incoming.error)
    const cancelled = incoming.kind === 'notification' ? cancelledBy(incoming) : undefined
    this.#handlers?.onMessage?.(cancelled)
    if (cancelled !== undefined) this.#underWay.get(cancelled)?.abort()
    if (incoming.kind !== 'request') return undefined

    const { id, method, params } = incoming
    const giveUp = new AbortController()
    this.#underWay.set(id, giveUp)
    try {
      const result = await this.#answer(id, method, params, giveUp.signal)
      if (giveUp.signal.aborted || !result) return undefined
      answered.push([id, method])
      return { jsonrpc: '2.0', id, result }
    } catch (error) {
      return giveUp.signal.aborted ? undefined : failure(id, error)
    } finally {
      if (this.#underWay.get(id) === giveUp) this.#underWay.delete(id)
    }
  }

  /** Returns the result of one request; undefined for one that stayed open until the client cancelled it. Throws an RpcError for a refusal. */
  #answer(id: RequestId, method: string, params: Params, signal: AbortSignal): Promise<object> | object | undefined {
    const { info, tools } = this.#options
    const isPerRequest = namesItsRevision(params)
    const complete = (result: object, mayBeKept = false) =>
      isPerRequest ? completeResult(result, info, mayBeKept) : result
    if (method === 'tools/list') return complete({ tools }, true)
    if (method === 'tools/call') return this.#call(id, params, signal).then(result => complete(result))
    if (isPerRequest) {
      if (method === 'server/discover' && clientNameIn(params) !== needsPushes)
        return complete({ supportedVersions: perRequestRevisions, ...this.#about }, true)
      if (method === 'subscriptions/listen') return this.#listen(id, signal)
    } else {
      if (method === 'initialize') return this.#initialize(params)
      if (method === 'ping') return {}
    }
    throw new RpcError(codes.methodNotFound, 'Method not found')
  }

  #initialize({ protocolVersion }: Params): object {
    if (typeof protocolVersion !== 'string')
      throw new RpcError(codes.invalidParams, 'initialize has a protocolVersion, a text.')
    this.#revision = agreeOn(protocolVersion)
    return { protocolVersion: this.#revision, serverInfo: this.#options.info, ...this.#about }
  }

  get #about(): object {
    const { capabilities, instructions } = this.#options
    return { capabilities: { ...capabilities, tools: { listChanged: false } }, instructions }
  }

  async #call(id: RequestId, params: Params, signal: AbortSignal): Promise<object> {
    const { name, arguments: given, _meta } = params
    if (typeof name !== 'string') throw new RpcError(codes.invalidParams, 'tools/call has a name, a text.')
    if (!this.#options.tools.some(tool => tool.name === name))
      throw new RpcError(codes.invalidParams, `Tool ${name} not found`)
    if (!isObject(given ?? {})) throw new RpcError(codes.invalidParams, 'arguments is an object.')
    const meta = isObject(_meta) ? _meta : {}
    return this.#handlers!.callTool(name, (given as object | null | undefined) ?? {}, { id, meta, signal })
  }

  /** Accepts a subscription to changes, of which there are none, and keeps it open until the client cancels it. */
  async #listen(id: RequestId, signal: AbortSignal): Promise<undefined> {
    const params = { notifications: {}, _meta: { [subscriptionKey]: id } }
    await this.#write({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params })
    if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
    return undefined
  }

  async #refuse(id: RequestId | null, code: number, message: string): Promise<void> {
    await this.#write(failure(id, new RpcError(code, message))).catch(() => {})
  }

  /** Resolves when the message was written entirely; rejects if it cannot be. */
  #write(message: Outgoing | Outgoing[]): Promise<void> {
    if (this.#isClosed) return Promise.reject(new Error('The client is gone.'))
    return new Promise((resolve, reject) => {
      this.#stdout.write(`${JSON.stringify(message)}\n`, error => (error ? reject(error) : resolve()))
    })
  }
}

const tooLong = `A message has ${maxLineBytes} bytes at most.`

function cancelledBy({ method, params }: { method: string; params: Params }): RequestId | undefined {
  const { requestId } = params
  if (method !== 'notifications/cancelled') return undefined
  return typeof requestId === 'string' || typeof requestId === 'number' ? requestId : undefined
}
