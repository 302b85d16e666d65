import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { EtcdLog } from '../../../src/hub/journal/etcd/etcd-log.ts'
import { EtcdError, EtcdGateway } from '../../../src/hub/journal/etcd/gateway.ts'
import { HistoryError } from '../../../src/hub/journal/log.ts'
import { Broken, filledIn, jsonOf, objectOf, type Target } from '../target.ts'

/** Time for which the log is followed, in ms. */
const followMs = 60

const base64 = (text: string) => Buffer.from(text).toString('base64')
const record = (offset: number) => base64(`/claude-net/main/records/${String(offset).padStart(12, '0')}`)
const kv = (offset: number, more = {}) => ({ key: record(offset), value: base64('{}'), create_revision: '7', ...more })
const epoch = { key: base64('/claude-net/main/epoch'), value: base64('history'), create_revision: '5' }

/** Responses of etcd's JSON gateway: the log works, or reports what is wrong. */
export const etcd: Target = {
  name: 'etcd',
  what: "the answers of etcd's gateway",
  json: true,
  maxFiles: 40,
  dictionary: [
    'range',
    'txn',
    'watch',
    'status',
    'body',
    'kvs',
    'key',
    'value',
    'create_revision',
    'count',
    'responses',
    'response_range',
    'succeeded',
    'result',
    'error',
    'message',
    'code',
    'created',
    'canceled',
    'events',
    'type',
    'PUT',
    'DELETE',
    'kv',
    record(1),
    record(2),
    record(9),
    base64('history'),
    'token',
    '5',
    '7',
  ],
  seeds: [
    {
      range: [{ kvs: [epoch] }, { kvs: [kv(2)] }, { kvs: [kv(1), kv(2)] }],
      txn: [{ succeeded: true, responses: [{}] }],
      watch: [{ result: { created: true } }, { result: { events: [{ kv: kv(3) }] } }],
    },
    {
      range: [{ kvs: [epoch] }, { count: '0' }],
      txn: [
        {
          responses: [
            { response_range: { kvs: [kv(1)] } },
            { response_range: { kvs: [epoch] } },
            { response_range: {} },
          ],
        },
      ],
      watch: [{ result: { canceled: true, cancel_reason: 'compacted' } }],
    },
    {
      range: [
        { kvs: [epoch] },
        { status: 503, body: { message: 'etcdserver: no leader', code: 14 } },
        { kvs: [kv(4)] },
      ],
      txn: [{ status: 400, body: 'not JSON' }],
      watch: ['not JSON'],
    },
    { range: [{ kvs: [] }] },
    {
      range: [{ kvs: [epoch] }, {}, {}],
      txn: [{ responses: [] }],
      watch: [{ error: { code: 16, message: 'invalid auth token' } }],
    },
  ].map(each => JSON.stringify(each)),
  async open() {
    let answers: Record<string, unknown[]> = {}
    const server = createServer((request, response) => answer(answers, request, response))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return {
      async run(input) {
        const given = objectOf(filledIn(jsonOf(input)))
        answers = Object.fromEntries(
          ['range', 'txn', 'watch'].map(name => [name, Array.isArray(given[name]) ? [...given[name]] : []]),
        )
        const gateway = new EtcdGateway({ endpoints: [endpoint] })
        try {
          await useLog(gateway)
        } catch (error) {
          if (!(error instanceof EtcdError) && !(error instanceof HistoryError)) throw error
        } finally {
          gateway.close()
        }
      },
      async close() {
        server.closeAllConnections()
        await new Promise(resolve => server.close(resolve))
      },
    }
  },
}

async function useLog(gateway: EtcdGateway): Promise<void> {
  const log = await EtcdLog.open(gateway, 'main')
  const last = await log.last()
  if (!Number.isSafeInteger(last) || last < 0) throw new Broken(`the log ends at ${last}`)
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(), followMs)
  const from = Math.max(0, last - 2)
  let next = from + 1
  try {
    for await (const records of log.follow(from, stop.signal))
      for (const { offset, bytes } of records) {
        if (offset !== next) throw new Broken(`after ${next - 1} the log gives ${offset}`)
        if (!(bytes instanceof Uint8Array)) throw new Broken('a record has no bytes')
        next++
      }
  } catch (error) {
    if (!(error instanceof HistoryError) && !(error instanceof EtcdError)) throw error
  } finally {
    clearTimeout(timer)
    stop.abort()
  }
  await log.append(last, Buffer.from('{}'))
}

/** Returns the next response for a path; the last one repeats. */
function answer(answers: Record<string, unknown[]>, request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  const name = request.url?.split('/').at(-1) ?? ''
  if (name === 'watch') {
    const lines = answers.watch ?? []
    response.write(
      lines
        .slice(0, 10)
        .map(line => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`)
        .join(''),
    )
    if (lines.length === 0) response.end()
    return
  }
  const list = answers[name] ?? []
  const next = list.length > 1 ? list.shift() : (list[0] ?? {})
  const { status, body } = objectOf(next)
  const isSpecial = typeof status === 'number' && status >= 200 && status <= 599
  response.statusCode = isSpecial ? Math.trunc(status) : 200
  const said = isSpecial ? body : next
  response.end(typeof said === 'string' ? said : JSON.stringify(said))
}
