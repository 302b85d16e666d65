import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { ClaudeNetError } from '../../protocol/errors.ts'

/** Most bytes of the JSON of a request: the largest message text with every character escaped (6 for 1), and the other fields. */
export const maxRequestBytes = 256 * 1024

/** Most levels of nested arrays and objects: code that works on the parsed value may be recursive. */
const maxDepth = 64

/** Makes a server accept only uncompressed `application/json` in UTF-8; a browser form, which could send other types, is refused. */
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

/** Adds routes whose bodies reach their handlers as buffers, whatever the media type. */
export function takeRawBodies(server: FastifyInstance, addRoutes: (server: FastifyInstance) => void): void {
  void server.register(async raw => {
    raw.removeAllContentTypeParsers()
    raw.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    addRoutes(raw)
  })
}

/** Returns the value of a JSON body; undefined for an empty one. Throws `invalid`. */
export function readJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw notJson('the bytes are not UTF-8')
  if (body.byteLength === 0) return undefined
  const value = parsed(body)
  if (isDeeper(value, maxDepth)) throw notJson(`it is nested more than ${maxDepth} levels deep`)
  return value
}

/** Parses a body of any depth: V8 parses without recursion. */
function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw notJson((error as Error).message)
  }
}

/** Returns the `invalid` error for a body that cannot be read. */
export function notJson(why: string): ClaudeNetError {
  return new ClaudeNetError('invalid', `body: ${why}`, 'Send JSON in UTF-8 with Content-Type: application/json.')
}

/** Reports whether a parsed value has more than `levels` levels of nested arrays and objects. */
export function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  const parts: unknown[] = Array.isArray(value) ? value : Object.values(value)
  return parts.some(each => isDeeper(each, levels - 1))
}
