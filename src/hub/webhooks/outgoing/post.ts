import { lookup } from 'node:dns'
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { version } from '../../../protocol/version.ts'
import { signedHeaders } from './sign.ts'

/** What is posted, and how it is signed. */
export interface Post {
  url: string
  /** Its `webhook-id`. */
  id: string
  /** JSON. */
  body: string
  secrets: readonly string[]
}

/** What a receiver made of it. `why` is a code: `failureInWords` has the sentence. `retryAfterMs` is what the receiver asked for. */
export type PostResult =
  | { ok: true; status: number }
  | { ok: false; why: string; status?: number; retryAfterMs?: number; isGone?: true }

/** Most bytes of an answer that are taken off the line before it is cut: its status alone counts. */
const maxAnswerBytes = 64 * 1024

/** How long an answer may go on behind its status, in ms. */
const answerMs = 1000

/** Most bytes of the headers of an answer. */
const maxHeaderSize = 16 * 1024

/**
 * Most names that are looked up at once. A lookup takes a thread of the few that the store is synced by as well, for as long as a name
 * server is silent.
 */
const maxLookups = 2
let lookups = 0
const waiting: (() => void)[] = []

/** No connection is kept: one that the receiver has closed meanwhile would lose a post that may have arrived. */
const agents = { http: new HttpAgent({ keepAlive: false }), https: new HttpsAgent({ keepAlive: false }) }

/**
 * Posts once, within `timeoutMs` from the lookup of the name to the status of the answer. A redirect is not followed, and of an answer the
 * status counts. Never rejects.
 */
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
    // What asks for another protocol is no answer.
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

/** Lets a receiver finish its answer, in bounds: some take a connection that is cut for a failure of theirs. */
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

/** The `Retry-After` of an answer, in ms from now; undefined where it says nothing that can be understood (RFC 9110, section 10.2.3). */
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

/** `dns.lookup`, a few at a time. */
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

/** What stands for a failure that has a code, as a sentence. */
const sentences: Record<string, string> = {
  timeout: 'it did not answer in time',
  upgrade: 'it asked for another protocol than HTTP',
  ECONNREFUSED: 'it refused the connection',
  ECONNRESET: 'it closed the connection without an answer',
  EPIPE: 'it closed the connection without an answer',
  ENOTFOUND: 'its name is unknown',
  EAI_AGAIN: 'its name cannot be looked up now',
  EHOSTUNREACH: 'there is no way to its host',
  ENETUNREACH: 'there is no way to its network',
  ETIMEDOUT: 'its host does not answer',
  HPE_HEADER_OVERFLOW: 'the headers of its answer are too long',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by an authority that this host does not know',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by an authority that this host does not know',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by an authority that this host does not know',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  gone: 'it answered 410: it is gone',
  kept: 'its message is not kept any more',
}

/** A failure as it is shown: a clause, most often with the receiver as its subject. */
export function failureInWords(why: string): string {
  const [, status] = /^status (\d+)$/.exec(why) ?? []
  if (status === undefined) return sentences[why] ?? `it could not be reached (${why})`
  if (status.startsWith('3')) return `it answered ${status}, a redirect, which is not followed`
  return `it answered ${status}`
}

/** Whether a failure says that the receiver cannot be reached or take anything now, rather than that it will not take this. */
export function isOutage(why: string): boolean {
  const [, status] = /^status (\d+)$/.exec(why) ?? []
  return status === undefined || ['408', '425', '429', '502', '503', '504'].includes(status)
}
