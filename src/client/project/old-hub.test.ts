import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { api } from '../../protocol/api.ts'
import { newMessageId } from '../../protocol/ids.ts'
import { followEvents } from '../follow-events.ts'
import { HubClient } from '../hub-client.ts'
import { DirectTransport } from '../transport/direct.ts'

/** A hub that rejects requests which name a project, as older hubs do, and all that contain `bad`. */
async function startOldHub() {
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const said = `${request.url} ${body}`
    asked.push(said)
    if (/project/i.test(said) || said.includes('bad')) {
      const error = { code: 'invalid', message: 'Unrecognized key', hint: 'Correct it.' }
      return void response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error }))
    }
    if (request.url!.startsWith('/v1/events')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      return void response.write('event: presence\ndata: {"name":"sean","online":true,"lastSeenAt":null}\n\n')
    }
    const answer = request.url!.startsWith('/v1/inbox/ack')
      ? { acked: [], unread: 0, unknown: [] }
      : { messages: [], unread: 0, more: 0, cursor: '' }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const client = new HubClient({ transport: new DirectTransport(url) })
  onTestFinished(() => {
    client.close()
    server.closeAllConnections()
    server.close()
  })
  return { client, asked }
}

test('a request to a hub without projects is retried without one, and later requests have none', async () => {
  const { client, asked } = await startOldHub()
  const ids = [newMessageId()]
  await client.call(api.readInbox, { query: { limit: 3, project: 'shop' } })
  await client.call(api.readInbox, { query: { project: '' } })
  await client.call(api.ackInbox, { body: { ids, project: 'shop' } })
  expect(asked.map(each => each.trim())).toEqual([
    '/v1/inbox?limit=3&project=shop',
    '/v1/inbox?limit=3',
    '/v1/inbox',
    `/v1/inbox/ack ${JSON.stringify({ ids })}`,
  ])
})

test('a request that is also rejected without a project does not mark the hub as old', async () => {
  const { client, asked } = await startOldHub()
  const query = { after: 'bad', project: 'shop' }
  await expect(client.call(api.readInbox, { query })).rejects.toMatchObject({ code: 'invalid' })
  await client.call(api.readInbox, { query: { project: 'shop' } })
  expect(asked.filter(each => each.includes('project'))).toHaveLength(2)
})

test('the events of such a hub are followed without a project', async () => {
  const { client, asked } = await startOldHub()
  const end = new AbortController()
  for await (const { event } of followEvents(client, { project: 'shop', withDelivery: true, signal: end.signal })) {
    expect(event).toBe('presence')
    end.abort()
  }
  expect(asked.map(each => each.trim())).toEqual(['/v1/events?project=shop&with=delivery', '/v1/events?with=delivery'])
})

test('requests have a project again after the hub was away, since it may have been upgraded', async () => {
  const { client, asked } = await startOldHub()
  const end = new AbortController()
  await client.call(api.readInbox, { query: { project: 'shop' } })
  for await (const _ of client.events({ signal: end.signal })) end.abort()
  await client.call(api.readInbox, { query: { project: 'shop' } })
  expect(asked.filter(each => each.includes('project'))).toHaveLength(2)
})
