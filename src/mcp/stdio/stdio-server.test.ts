import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { McpServer, SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server'
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio'
import { expect, onTestFinished, test } from 'vitest'
import { registerTools } from '../sdk-tools.ts'
import { toolList } from '../tool-list.ts'
import { toolRuns } from '../tools.ts'
import { initializedRevisions } from './revisions.ts'
import { type StdioHandlers, StdioServer } from './stdio-server.ts'

const info = { name: 'claude-net', version: '1.2.3' }
const instructions = 'Use it well.'

const context = {
  line: () => {
    throw new Error('no hub')
  },
  readState: { settled: async () => {}, answerShows: () => {} },
  messageIdOf: () => 'an id',
  onAsked: () => {},
  takeRemarks: () => [],
}
const runs = toolRuns(context)

/** Creates a client's end of the connection: `say` sends messages, `next` returns the responses in order. */
function conversation() {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()]
  let rest = ''
  const answers: unknown[] = []
  stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    answers.push(...lines.map(line => JSON.parse(line) as unknown))
    stdout.emit('answered')
  })
  return {
    stdin,
    stdout,
    say: (...lines: (string | object)[]) => {
      for (const line of lines) stdin.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`)
    },
    next: async () => {
      while (answers.length === 0) await once(stdout, 'answered')
      return answers.shift()
    },
  }
}

function start(handlers: Partial<StdioHandlers> = {}) {
  const talk = conversation()
  const server = new StdioServer({ info, instructions, capabilities: {}, tools: toolList, ...talk })
  server.start({
    callTool: (name, given, { id, signal }) =>
      runs[name as keyof typeof runs](given, { id, signal, toolUseId: undefined }),
    ...handlers,
  })
  return { ...talk, server }
}

const request = (id: unknown, method: string, params?: object) => ({ jsonrpc: '2.0', id, method, params })
const error = (id: unknown, code: number, message: unknown = expect.any(String)) => ({
  jsonrpc: '2.0',
  id,
  error: { code, message },
})
const initialize = (id: number, protocolVersion: unknown) =>
  request(id, 'initialize', { protocolVersion, capabilities: {}, clientInfo: { name: 'test', version: '1' } })
const modern = (clientName = 'test', protocolVersion: unknown = '2026-07-28') => ({
  _meta: {
    'io.modelcontextprotocol/protocolVersion': protocolVersion,
    'io.modelcontextprotocol/clientInfo': { name: clientName, version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  },
})

/** Returns the response of an SDK server with the same tools to one request. */
async function sdkAnswer(isModern: boolean, message: object): Promise<unknown> {
  const { stdin, stdout, say, next } = conversation()
  const build = () => {
    const server = new McpServer(info, { instructions, capabilities: { tools: { listChanged: false } } })
    registerTools(server, context)
    return server
  }
  const transport = new StdioServerTransport(stdin, stdout)
  if (isModern) serveStdio(build, { transport })
  else await build().connect(transport)
  onTestFinished(() => void stdin.end())
  say(message)
  return next()
}

const tool = (name: string, given: object) => ({ name, arguments: given })
test.each<[string, boolean, object]>([
  ...initializedRevisions.map((revision): [string, boolean, object] => [
    `initialize ${revision}`,
    false,
    initialize(1, revision),
  ]),
  ['initialize with a revision that nobody speaks', false, initialize(1, '1999-01-01')],
  ['ping', false, request('p', 'ping')],
  ['tools/list', false, request(2, 'tools/list')],
  ['tools/list with a cursor', false, request(2, 'tools/list', { cursor: 'x' })],
  ['a tool', false, request(3, 'tools/call', tool('claude_net_machines', {}))],
  ['wrong arguments', false, request(4, 'tools/call', tool('claude_net_send', { message: 7, cc: 'x' }))],
  ['no arguments', false, request(5, 'tools/call', { name: 'claude_net_send' })],
  ['an unknown tool', false, request(6, 'tools/call', tool('nothing', {}))],
  ['an unknown method', false, request(7, 'no/such')],
  ['a method of what is not offered', false, request(8, 'resources/list')],
  ['server/discover without a revision', false, request(9, 'server/discover')],
  ['server/discover', true, request(1, 'server/discover', modern())],
  ['tools/list of its own revision', true, request(2, 'tools/list', modern())],
  ['a tool, of its own revision', true, request(3, 'tools/call', { ...tool('claude_net_inbox', {}), ...modern() })],
  ['ping, which its revision does not have', true, request(4, 'ping', modern())],
  ['a revision to come', true, request(5, 'tools/list', modern('test', '2030-01-01'))],
  [
    'a subscription',
    true,
    request(6, 'subscriptions/listen', { notifications: { toolsListChanged: true }, ...modern() }),
  ],
])('%s is answered as the SDK answers it', async (_, isModern, message) => {
  const { say, next } = start()
  say(message)
  expect(await next()).toEqual(await sdkAnswer(isModern, message))
})

test('the revisions are those of the SDK', () => {
  expect([...initializedRevisions]).toEqual(SUPPORTED_PROTOCOL_VERSIONS)
})

test('Claude Code is not offered the revision in which the server cannot push to it', async () => {
  const { say, next } = start()
  say(request(1, 'server/discover', modern('claude-code')))
  expect(await next()).toEqual(error(1, -32601))
})

test.each<[string, string, object]>([
  ['no JSON', 'hello', error(null, -32700)],
  ['cut off JSON', '{"jsonrpc":"2.0","id":1,"method":"pi', error(null, -32700)],
  ['a number', '1', error(null, -32600)],
  ['null', 'null', error(null, -32600)],
  ['another JSON-RPC', '{"id":3,"method":"ping"}', error(3, -32600)],
  ['an id that is null', '{"jsonrpc":"2.0","id":null,"method":"ping"}', error(null, -32600)],
  ['an id that is a list', '{"jsonrpc":"2.0","id":[1],"method":"ping"}', error(null, -32600)],
  ['no method', '{"jsonrpc":"2.0","id":"a"}', error('a', -32600)],
  ['params that are a list', '{"jsonrpc":"2.0","id":4,"method":"ping","params":[]}', error(4, -32602)],
  ['initialize without a revision', JSON.stringify(request(5, 'initialize', {})), error(5, -32602)],
  ['a tool without a name', JSON.stringify(request(6, 'tools/call', {})), error(6, -32602)],
  [
    'arguments that are text',
    JSON.stringify(request(7, 'tools/call', { name: toolList[0]!.name, arguments: 'x' })),
    error(7, -32602),
  ],
  [
    'an envelope without capabilities',
    JSON.stringify(request(8, 'tools/list', { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } })),
    error(8, -32602),
  ],
  ['an empty batch', '[]', error(null, -32600)],
  ['a batch of too many', JSON.stringify(Array(101).fill(request(1, 'ping'))), error(null, -32600)],
  [
    'a batch',
    JSON.stringify([request(1, 'ping'), 7, { jsonrpc: '2.0', method: 'x' }, request(2, 'y')]),
    [{ jsonrpc: '2.0', id: 1, result: {} }, error(null, -32600), error(2, -32601)],
  ],
  ['a batch of one', JSON.stringify([request(1, 'ping')]), [{ jsonrpc: '2.0', id: 1, result: {} }]],
])('%s is answered with what is wrong, and the next request is served', async (_, line, answer) => {
  const { say, next } = start()
  say(line, '', '\r', { jsonrpc: '2.0', method: 'notifications/whatever' }, { jsonrpc: '2.0', id: 1, result: {} })
  expect(await next()).toEqual(answer)
  say(request('after', 'ping'))
  expect(await next()).toEqual({ jsonrpc: '2.0', id: 'after', result: {} })
})

test('a batch is refused in a revision that has removed batches', async () => {
  const { say, next } = start()
  say(initialize(1, '2025-06-18'))
  await next()
  say([request(2, 'ping')])
  expect(await next()).toEqual(error(null, -32600))
})

test('input may arrive in any chunks, and a line may end with CR LF', async () => {
  const given: object[] = []
  const callTool = async (_: string, args: object) => {
    given.push(args)
    return {}
  }
  const { stdin, next } = start({ callTool })
  const text = 'grüße 🎉 \u2028 "quoted"'
  const line = JSON.stringify(request(1, 'tools/call', tool('claude_net_send', { message: text })))
  for (const byte of Buffer.from(`\n\r\n${line}\r\n${line}\n`)) stdin.write(Buffer.of(byte))
  await next()
  await next()
  expect(given).toEqual([{ message: text }, { message: text }])
})

test('a line that is too long is refused by its id, and the next one is served', async () => {
  const { stdin, say, next } = start()
  const long = 'x'.repeat(1024 * 1024)
  for (const end of ['"}},"jsonrpc":"2.0","id":12}', '"}},"id":"a"}\r', '"},"id":3}}']) {
    stdin.write('{"method":"tools/call","params":{"arguments":{"message":"')
    for (let mega = 0; mega < 11; mega++) stdin.write(long)
    stdin.write(`${end}\n`)
  }
  say(request(1, 'ping'))
  expect(await next()).toEqual(error(12, -32600))
  expect(await next()).toEqual(error('a', -32600))
  expect(await next()).toEqual(error(null, -32600))
  expect(await next()).toEqual({ jsonrpc: '2.0', id: 1, result: {} })
})

test('a cancelled call is aborted and gets no response; a call that fails gets an error', async () => {
  const aborted: unknown[] = []
  const heard: unknown[] = []
  const { say, next } = start({
    callTool: async (_, { fails }: { fails?: boolean }, { id, signal }) => {
      if (fails) throw new Error('broken')
      await once(signal, 'abort')
      aborted.push(id)
      return {}
    },
    onMessage: cancelled => heard.push(cancelled),
  })
  say(request('c', 'tools/call', tool('claude_net_inbox', {})))
  say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'c' } })
  say(request('d', 'tools/call', tool('claude_net_inbox', { fails: true })))
  expect(await next()).toEqual(error('d', -32603, 'broken'))
  say(request('e', 'ping'))
  expect(await next()).toEqual({ jsonrpc: '2.0', id: 'e', result: {} })
  expect([aborted, heard]).toEqual([['c'], [undefined, 'c', undefined, undefined]])
})

test('a result counts as answered when it has been written to the pipe, an error never does', async () => {
  const written: unknown[] = []
  let release = () => {}
  const { stdin, say, next, server, stdout } = start({ onAnswered: (id, method) => written.push([id, method]) })
  const write = stdout._write.bind(stdout)
  stdout._write = (chunk, encoding, done) => write(chunk, encoding, () => (release = done))
  say(request(1, 'tools/list'), request(2, 'no/such'))
  await next()
  expect(written).toEqual([])
  release()
  await next()
  release()
  stdin.end()
  await server.closed
  expect(written).toEqual([[1, 'tools/list']])
})

test('notifications are sent only after a revision that has them is agreed on', async () => {
  const { say, next, server } = start()
  await server.notify('notifications/test', {})
  say(initialize(1, '2025-11-25'))
  expect(await next()).toMatchObject({ id: 1 })
  await server.notify('notifications/test', { a: 1 })
  expect(await next()).toEqual({ jsonrpc: '2.0', method: 'notifications/test', params: { a: 1 } })
})

test('when the client closes stdin, calls in progress are aborted and the server is closed', async () => {
  let signal: AbortSignal | undefined
  const { stdin, say, server } = start({
    callTool: async (_, __, call) => {
      signal = call.signal
      return new Promise(() => {})
    },
  })
  say(request(1, 'tools/call', tool('claude_net_inbox', {})))
  stdin.end()
  await server.closed
  expect(signal?.aborted).toBe(true)
  await expect(server.notify('x', {})).resolves.toBeUndefined()
})

test('the server is closed when its output cannot be written', async () => {
  const { stdout, server } = start()
  stdout.destroy(new Error('EPIPE'))
  await server.closed
})
