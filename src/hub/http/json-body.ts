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

/** The value of a body; undefined for an empty one. Throws `invalid`. */
export function readJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw notJson('the bytes are not UTF-8')
  if (depthOf(body) > maxDepth) throw notJson(`it is nested more than ${maxDepth} levels deep`)
  if (body.byteLength === 0) return undefined
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

const [quote, backslash] = [0x22, 0x5c]
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d]

/** The most levels of arrays and objects that are open at once in JSON; brackets inside strings do not count. */
export function depthOf(json: Buffer): number {
  let depth = 0
  let deepest = 0
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]
    if (byte === quote) at = endOfString(json, at)
    else if (byte === openBrace || byte === openBracket) deepest = Math.max(deepest, ++depth)
    else if (byte === closeBrace || byte === closeBracket) depth--
  }
  return deepest
}

/** Where the string that begins at `start` has its closing quote; the end of the JSON when it has none. */
function endOfString(json: Buffer, start: number): number {
  for (let end = json.indexOf(quote, start + 1); end >= 0; end = json.indexOf(quote, end + 1)) {
    let slashes = 0
    while (json[end - 1 - slashes] === backslash) slashes++
    if (slashes % 2 === 0) return end
  }
  return json.length
}
