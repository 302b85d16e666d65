import { lookup } from 'node:dns'
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { version } from '../../../protocol/version.ts'
import { signedHeaders } from './sign.ts'

/** A post, and the secrets that sign it. */
export interface Post {
  url: string
  /** Its `webhook-id`. */
  id: string
  /** JSON. */
  body: string
  secrets: readonly string[]
}

/** Outcome of a post. `why` is a code, which `failureInWords` explains; `retryAfterMs` is what the receiver asked for. */
export type PostResult =
  | { ok: true; status: number }
  | { ok: false; why: string; status?: number; retryAfterMs?: number; isGone?: true }

/** Most bytes of a response that are read before the connection is cut: only its status matters. */
const maxAnswerBytes = 64 * 1024

/** Time that a response may continue after its status, in ms. */
const answerMs = 1000

/** Most bytes of a response's headers. */
const maxHeaderSize = 16 * 1024

/**
 * Most names looked up at once. A lookup occupies one of the few threads that also sync the store, for as long as a name server is silent.
 */
const maxLookups = 2
let lookups = 0
const waiting: (() => void)[] = []

/** Connections are not reused: if the receiver has closed one meanwhile, it would be open whether a post arrived. */
const agents = { http: new HttpAgent({ keepAlive: false }), https: new HttpsAgent({ keepAlive: false }) }

/** Posts once, within `timeoutMs` from the name lookup to the status of the response. Does not follow redirects. Never rejects. */
export function post(
  { url, id, body, secrets }: Post,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<PostResult> {
  return new Promise(resolve => {
    const atS = Math.floor(Date.now() / 1000)
    const headers = {
      ...signedHeaders(secrets, { id, atS, body }),
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': `claude-net/${version}`,
      accept: '*/*',
    }
    const isTls = url.startsWith('https:')
    const options = { method: 'POST', headers, maxHeaderSize, signal, lookup: gatedLookup }
    let request: ClientRequest
    try {
      request = isTls
        ? httpsRequest(url, { ...options, agent: agents.https, rejectUnauthorized: true })
        : httpRequest(url, { ...options, agent: agents.http })
    } catch (error) {
      resolve({ ok: false, why: codeOf(error) })
      return
    }
    const timer = setTimeout(() => {
      resolve({ ok: false, why: 'timeout' })
      request.destroy()
    }, timeoutMs)
    const settle = (result: PostResult) => {
      clearTimeout(timer)
      resolve(result)
    }
    request.on('response', response => {
      settle(resultOf(response))
      drain(response)
    })
    // A request to switch protocols is not a valid response.
    request.on('upgrade', (_, socket) => {
      settle({ ok: false, why: 'upgrade' })
      socket.destroy()
    })
    request.on('error', error => settle({ ok: false, why: codeOf(error) }))
    request.on('close', () => settle({ ok: false, why: 'ECONNRESET' }))
    request.end(body)
  })
}

function resultOf({ statusCode: status = 0, headers }: IncomingMessage): PostResult {
  if (status >= 200 && status < 300) return { ok: true, status }
  const retryAfterMs = retryAfter(headers['retry-after'])
  return {
    ...{ ok: false, why: `status ${status}`, status },
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(status === 410 && { isGone: true }),
  }
}

/** Lets a receiver finish its response, within limits: some treat a cut connection as their failure. */
function drain(response: IncomingMessage): void {
  let bytes = 0
  const cut = () => response.destroy()
  const timer = setTimeout(cut, answerMs).unref()
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > maxAnswerBytes) cut()
  })
  response.on('close', () => clearTimeout(timer))
  response.on('error', () => {})
}

/** Returns `Retry-After` in ms from now; undefined if it cannot be parsed (RFC 9110, section 10.2.3). */
function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now())
}

function codeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return /^[A-Z][A-Z0-9_]{2,60}$/.test(code ?? '') ? code! : `error ${message}`.slice(0, 120)
}

/** `dns.lookup` with limited concurrency. */
const gatedLookup: LookupFunction = (hostname, options, callback) => {
  const run = () => {
    lookups++
    lookup(hostname, options, (error, address, family) => {
      lookups--
      waiting.shift()?.()
      callback(error, address as string, family)
    })
  }
  if (lookups < maxLookups) run()
  else waiting.push(run)
}

/** Sentences for failure codes. */
const sentences: Record<string, string> = {
  timeout: 'it did not respond in time',
  upgrade: 'it asked for another protocol than HTTP',
  ECONNREFUSED: 'it refused the connection',
  ECONNRESET: 'it closed the connection without a response',
  EPIPE: 'it closed the connection without a response',
  ENOTFOUND: 'its name is unknown',
  EAI_AGAIN: 'its name cannot be looked up now',
  EHOSTUNREACH: 'its host is unreachable',
  ENETUNREACH: 'its network is unreachable',
  ETIMEDOUT: 'its host does not respond',
  HPE_HEADER_OVERFLOW: 'the headers of its response are too long',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by an authority that this host does not know',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by an authority that this host does not know',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by an authority that this host does not know',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  gone: 'it returned 410: it is gone',
  kept: 'its message is no longer stored',
}

/** Describes a failure in a clause, most often with the receiver as its subject. */
export function failureInWords(why: string): string {
  const [, status] = /^status (\d+)$/.exec(why) ?? []
  if (status === undefined) return sentences[why] ?? `it could not be reached (${why})`
  if (status.startsWith('3')) return `it returned ${status}, a redirect, which is not followed`
  return `it returned ${status}`
}

/** Reports whether a failure means that the receiver is unreachable or overloaded, rather than that it rejects this event. */
export function isOutage(why: string): boolean {
  const [, status] = /^status (\d+)$/.exec(why) ?? []
  return status === undefined || ['408', '425', '429', '502', '503', '504'].includes(status)
}
