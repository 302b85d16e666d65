import { connect } from 'node:net'
import { bearer, HubWorld } from '../hub-world.ts'
import { Broken, holdsNoSecret, type Target } from '../target.ts'

/** Time without data after which the client closes the connection, in ms. */
const silentMs = 30
/** Maximum duration of one connection, in ms: a stream does not end by itself. */
const mostMs = 1000

const head = 'host: localhost\r\nauthorization: Bearer $token\r\n'

/** Bytes on a connection to the hub. `$token` stands for a valid token. */
export const door: Target = {
  name: 'door',
  what: 'bytes on a connection to a hub',
  json: false,
  dictionary: [
    ...[
      'GET ',
      'POST ',
      'PUT ',
      'DELETE ',
      'HEAD ',
      'OPTIONS ',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      ' HTTP/1.1\r\n',
      ' HTTP/1.0\r\n',
    ],
    ...[
      '\r\n',
      '\r\n\r\n',
      '\n',
      '\r',
      ': ',
      '\t',
      '\0',
      '\x80',
      'chunked',
      'gzip',
      '100-continue',
      'keep-alive',
      'close',
      'websocket',
    ],
    ...[
      'host: ',
      'content-length: ',
      'transfer-encoding: chunked\r\n',
      'connection: upgrade\r\nupgrade: h2c\r\n',
      'expect: 100-continue\r\n',
    ],
    ...[
      'content-type: application/json\r\n',
      'content-encoding: gzip\r\n',
      'last-event-id: ',
      'origin: http://localhost\r\n',
      'cookie: ',
      'x-forwarded-for: 8.8.8.8\r\n',
    ],
    ...[
      'authorization: Bearer $token\r\n',
      'authorization: Bearer $admin\r\n',
      '0\r\n\r\n',
      '5\r\nhello\r\n',
      'ffffffffffffffff\r\n',
      '-1',
    ],
    ...[
      '/v1/inbox',
      '/v1/messages',
      '/v1/events',
      '/readyz',
      '/mcp',
      '/join/',
      '/client/claude-net.json',
      '/console/icon.svg',
      '/%',
      '//',
      '?',
      '/..',
      'http://localhost/',
    ],
  ],
  seeds: [
    `GET /v1/inbox HTTP/1.1\r\n${head}\r\n`,
    `GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\nGET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n`,
    `POST /v1/messages HTTP/1.1\r\n${head}content-type: application/json\r\ncontent-length: 36\r\n\r\n{"to":"seanclaude","body":"hello..."}`,
    `POST /v1/messages HTTP/1.1\r\n${head}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1c\r\n{"to":"seanclaude","body":"h\r\n2\r\n"}\r\n0\r\n\r\n`,
    `POST /v1/inbox/ack HTTP/1.1\r\n${head}expect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{"ids":[]}`,
    `GET /v1/events HTTP/1.1\r\n${head}last-event-id: abc:1\r\n\r\n`,
    `GET / HTTP/1.0\r\n\r\n`,
    `GET /mcp HTTP/1.1\r\n${head}connection: upgrade\r\nupgrade: websocket\r\n\r\n`,
    `OPTIONS * HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example\r\n\r\n`,
    `CONNECT evil.example:80 HTTP/1.1\r\nhost: evil.example:80\r\n\r\n`,
    '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00',
    '\x80\x2e\x01\x00\x02',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ],
  async open() {
    const world = await HubWorld.start()
    return {
      run: input => give(world, input),
      check: () => world.check(),
      close: () => world.close(),
    }
  },
}

async function give(world: HubWorld, input: Buffer): Promise<void> {
  const { tokens } = world
  const bytes = input.toString('latin1').replaceAll('$token', tokens.machine).replaceAll('$admin', tokens.admin)
  const answer = await exchange(world.url, Buffer.from(bytes, 'latin1'))
  holdsNoSecret('an answer', answer, world.secrets)
  for (const [line, status] of answer.matchAll(/^HTTP\/1\.1 (\d{3}) .*$/gm))
    if (['500', '503'].includes(status!)) throw new Broken(`the hub answers ${line.trim()}: ${answer.slice(0, 600)}`)
  if (answer !== '' && !/^(HTTP\/1\.1 \d{3} |[\x15\x16]\x03)/.test(answer))
    throw new Broken(`the hub answers no HTTP: ${answer.slice(0, 200)}`)
  // Replaces the token if an input has ended it.
  if (
    /^HTTP\/1\.1 401/m.test(answer) &&
    (await world.ask({ path: '/v1/inbox', headers: bearer(tokens.machine) })).status !== 200
  )
    await world.people()
}

/** Returns everything received until the hub closes the connection or stays silent. */
function exchange({ hostname, port }: URL, bytes: Buffer): Promise<string> {
  return new Promise(resolve => {
    let received = ''
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    const most = setTimeout(() => socket.destroy(), mostMs)
    let silence = setTimeout(() => socket.destroy(), 4 * silentMs)
    socket.on('data', chunk => {
      received += chunk.toString('latin1')
      clearTimeout(silence)
      silence = setTimeout(() => socket.destroy(), silentMs)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(most)
      clearTimeout(silence)
      resolve(received)
    })
  })
}
