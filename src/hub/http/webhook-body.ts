import { isUtf8 } from 'node:buffer'
import type { FastifyRequest } from 'fastify'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { readJson } from './json-body.ts'

type Source = import('../webhooks/incoming/event.ts').Source

/** Returns the payload of a verified call: the value of its JSON, or its text if the source sends texts. Throws `invalid`. */
export function bodyOf({ takesText, formHint }: Source, request: FastifyRequest, raw: Buffer): unknown {
  const { headers } = request.raw
  const types = headersOf(request, 'content-type')
  if (types.length !== 1) {
    throw notRead(types.length === 0 ? 'it has no Content-Type' : 'it has more than one Content-Type', formHint)
  }
  if (headers['content-encoding'] !== undefined) throw notRead('a compressed body is not read', 'Send it uncompressed.')
  const [type = '', ...parameters] = types[0]!.split(';').map(part => part.trim().toLowerCase())
  const charset = parameters
    .find(each => each.startsWith('charset='))
    ?.slice('charset='.length)
    .replaceAll('"', '')
  if (charset !== undefined && !/^utf-?8$/.test(charset)) throw notRead(`charset ${charset} is not read`, 'Send UTF-8.')
  if (type === 'application/x-www-form-urlencoded' || type === 'multipart/form-data') {
    throw notRead('it is a form, but must be JSON', formHint)
  }
  if (takesText && type === 'text/plain') {
    if (!isUtf8(raw)) throw notRead('the bytes are not UTF-8', 'Send UTF-8.')
    return raw.toString('utf8')
  }
  if (type !== 'application/json' && !/^application\/[\w.+-]+\+json$/.test(type)) {
    throw notRead(`${/^[\w.+/-]{1,80}$/.test(type) ? type : 'this Content-Type'} is not read`, formHint)
  }
  const payload = readJson(raw)
  if (typeof payload === 'object' && payload !== null && (takesText || !Array.isArray(payload))) return payload
  if (takesText && typeof payload === 'string') return payload
  throw notRead('it is not a JSON object', 'Send the payload of the source unchanged.')
}

/** Returns every value of a header. Of a repeated header, Node keeps only the first value or joins all. */
function headersOf({ raw }: FastifyRequest, name: string): string[] {
  const { rawHeaders } = raw
  return rawHeaders.flatMap((each, index) =>
    index % 2 === 0 && each.toLowerCase() === name ? [rawHeaders[index + 1]!] : [],
  )
}

function notRead(why: string, hint: string): ClaudeNetError {
  return new ClaudeNetError('invalid', `body: ${why}.`, hint)
}
