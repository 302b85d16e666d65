import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { ClaudeNetError } from '../../protocol/errors.ts'

/** Most bytes of a request's JSON: the largest message text, every character of it escaped (6 for 1), and the rest. */
export const maxRequestBytes = 256 * 1024

/** Most levels of arrays and objects inside each other: what works on the parsed value may do so by recursion. */
const maxDepth = 64

/** Only `application/json` in UTF-8, uncompressed, is read; anything else a browser form could send is refused. */
export function acceptJsonOnly(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    const charset = /;\s*charset="?([^";]+)/i.exec(request.headers['content-type'] ?? '')?.[1]
    if (charset && !/^utf-?8$/i.test(charset.trim())) return done(notJson(`charset ${charset.trim()} is not read`))
    if (request.headers['content-encoding']) return done(notJson('a compressed body is not read'))
    try {
      done(null, readJson(body))
    } catch (error) {
      done(error as Error)
    }
  })
}

/** Adds routes whose bodies their handlers read, whatever media type they have: each is a buffer of what came. */
export function takeRawBodies(server: FastifyInstance, addRoutes: (server: FastifyInstance) => void): void {
  void server.register(async raw => {
    raw.removeAllContentTypeParsers()
    raw.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    addRoutes(raw)
  })
}

/** The value of a body; undefined for an empty one. Throws `invalid`. */
export function readJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw notJson('the bytes are not UTF-8')
  if (body.byteLength === 0) return undefined
  const value = parsed(body)
  if (isDeeper(value, maxDepth)) throw notJson(`it is nested more than ${maxDepth} levels deep`)
  return value
}

/** V8 parses without recursion, however deep the nesting is. */
function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw notJson((error as Error).message)
  }
}

/** A body that is not read, and why. */
export function notJson(why: string): ClaudeNetError {
  return new ClaudeNetError('invalid', `body: ${why}`, 'Send JSON in UTF-8 with Content-Type: application/json.')
}

/** Whether a parsed value has more than `levels` arrays and objects inside each other. */
export function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  const parts: unknown[] = Array.isArray(value) ? value : Object.values(value)
  return parts.some(each => isDeeper(each, levels - 1))
}
