import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { ClaudeNetError } from '../../protocol/errors.ts'

/** Most bytes of a request's JSON: the largest message text, every character of it escaped (6 for 1), and the rest. */
export const maxRequestBytes = 256 * 1024

/** Only `application/json` in UTF-8, uncompressed, is read; anything else a browser form could send is refused. */
export function acceptJsonOnly(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    const charset = /;\s*charset="?([^";]+)/i.exec(request.headers['content-type'] ?? '')?.[1]
    if (charset && !/^utf-?8$/i.test(charset.trim())) return done(notJson(`charset ${charset.trim()} is not read`))
    if (request.headers['content-encoding']) return done(notJson('a compressed body is not read'))
    if (!isUtf8(body)) return done(notJson('the bytes are not UTF-8'))
    try {
      done(null, body.byteLength === 0 ? undefined : JSON.parse(body.toString('utf8')))
    } catch (error) {
      done(notJson((error as Error).message))
    }
  })
}

/** A body that is not read, and why. */
export function notJson(why: string): ClaudeNetError {
  return new ClaudeNetError('invalid', `body: ${why}`, 'Send JSON in UTF-8 with Content-Type: application/json.')
}
