import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { ClaudeNetError } from '../../protocol/errors.ts'

/** Responds to a request that is not HTTP or arrives too slowly with an error in the usual form, and closes the connection. */
export function answerBroken(
  error: NodeJS.ErrnoException,
  socket: Socket & { _httpMessage?: ServerResponse | null },
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const [status, answer] = answerFor(error.code)
  const body = JSON.stringify(answer.toBody())
  // Not after a response has begun. Node itself checks this field (lib/_http_server.js, socketOnError).
  if (socket.writable && !socket._httpMessage?.headersSent)
    socket.write(`HTTP/1.1 ${status}\r\n${head(body)}\r\n\r\n${body}`)
  socket.destroySoon()
}

/** Refuses an `Expect` header other than 100-continue; Node would respond with an empty 417. */
export function answerExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const error = new ClaudeNetError('invalid', 'The only supported value of Expect is 100-continue.', 'Leave it out.')
  const body = JSON.stringify(error.toBody())
  response.writeHead(error.status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  })
  response.end(body)
}

function answerFor(code: string | undefined): [status: string, error: ClaudeNetError] {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [
        '408 Request Timeout',
        new ClaudeNetError(
          'invalid',
          'The request took too long to arrive.',
          'Send it again, whole; nothing was changed.',
        ),
      ]
    case 'HPE_HEADER_OVERFLOW':
      return [
        '431 Request Header Fields Too Large',
        new ClaudeNetError('too_large', 'The headers of a request may have 16 KiB at most.', 'Send fewer headers.'),
      ]
    default:
      return [
        '400 Bad Request',
        new ClaudeNetError('invalid', 'This is not a valid HTTP request.', 'docs/protocol.md has an example.'),
      ]
  }
}

function head(body: string): string {
  const type = 'content-type: application/json; charset=utf-8'
  return `${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`
}
