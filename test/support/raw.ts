import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { ErrorBody } from '../../src/protocol/error-body.ts'
import type { ErrorBody as ErrorAnswer } from '../../src/protocol/errors.ts'

export interface RawRequest {
  /** Default `POST` with a body, else `GET`. */
  method?: string
  path: string
  token?: string
  headers?: Record<string, string>
  /** The source address: on Linux every 127.x.y.z is local. */
  localAddress?: string
  /** Bytes and strings are sent as they are; anything else as JSON, with its content type. */
  body?: unknown
}

export interface RawAnswer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** The parsed text, or undefined when it is not JSON. */
  json: unknown
}

/** Sends one request exactly as given: nothing is checked, completed or retried. */
export function raw(
  hub: { url: URL },
  { method, path, token, headers = {}, localAddress, body }: RawRequest,
): Promise<RawAnswer> {
  const isPlain = body === undefined || typeof body === 'string' || Buffer.isBuffer(body)
  const bytes = isPlain ? body : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      host: hub.url.hostname,
      port: hub.url.port,
      localAddress,
      agent: false,
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      path,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(!isPlain && { 'content-type': 'application/json' }),
        ...(bytes !== undefined && { 'content-length': String(Buffer.byteLength(bytes)) }),
        ...headers,
      },
    })
    let answered = false
    outgoing.on('response', response => {
      answered = true
      const chunks: Buffer[] = []
      response.on('data', chunk => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        resolve({ status: response.statusCode!, headers: response.headers, text, json: parse(text) })
      })
    })
    // A hub that refuses before it has read everything closes the connection during the write: its response is still the result.
    outgoing.on('error', error => answered || reject(error))
    outgoing.end(bytes)
  })
}

/** Writes bytes to a connection, and returns everything received until the hub closes it. */
export function rawBytes({ url }: { url: URL }, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(Number(url.port), url.hostname, () => socket.write(bytes, 'latin1'))
    socket.on('data', chunk => (received += chunk.toString('latin1')))
    socket.on('close', () => resolve(received))
    // The connection may be cut during the write: the bytes received before are the result.
    socket.on('error', error => (received === '' ? reject(error) : resolve(received)))
  })
}

/** Returns the error in a response. Throws if it does not have the form of all errors. */
export function errorOf({ status, text, json }: RawAnswer): ErrorAnswer['error'] {
  const parsed = ErrorBody.strict().safeParse(json)
  if (!parsed.success) throw new Error(`No error of ours in this ${status}: ${text.slice(0, 300)}`)
  return parsed.data.error
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
