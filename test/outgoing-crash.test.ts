import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { startHub } from './support/hub.ts'
import { run } from './support/program.ts'
import { startReceiver, status } from './support/receiver.ts'
import { until } from './support/until.ts'

const rounds = 3

test('a hub killed between the response of a receiver and its record posts that event again, under its id, and loses none', async () => {
  const hub = await startHub()
  const receiver = await startReceiver()
  const [jaz] = [await hub.join('jaz'), await hub.join('ana')]
  const webhook = ['--data', hub.dataDir]
  const added = await run(['webhook', 'out', receiver.url, '--on', 'to ana', '--name', 'out', ...webhook])
  expect(added.stdout).toMatch(/^out posts what happens from now on\.\nSecret {2}whsec_\S{44}\n/)
  const sent: string[] = []
  for (let round = 0; round < rounds; round++) {
    let killed: Promise<unknown> | undefined
    const last = newMessageId()
    receiver.answer = (response, request, post) => {
      // Kills the hub during the last post: by then the earlier ones are recorded, but the response to this one comes too late.
      if (post.headers['webhook-id'] === `message_${last}`) killed ??= hub.stop('SIGKILL')
      status(204)(response, request, post)
    }
    for (const id of [newMessageId(), newMessageId(), last]) {
      sent.push(id)
      // The response to the last send may be lost with the hub; the message is stored, since it is posted.
      await jaz.client.call(api.sendMessage, { body: { id, to: 'ana', body: 'hello' } }).catch(() => {})
    }
    await until('the kill', () => killed !== undefined)
    await killed
    receiver.answer = status(204)
    await hub.start()
  }
  const shown = async () => (await hub.client(hub.adminToken).call(api.listOutgoing)).webhooks[0]!
  await until('all of them are recorded', async () => (await shown()).delivered >= sent.length)
  const ids = receiver.posts.map(({ headers }) => headers['webhook-id'])
  expect([...new Set(ids)]).toEqual(sent.map(id => `message_${id}`))
  // Each kill repeats at most one post, and its body is the same byte for byte.
  expect(ids.length).toBeLessThanOrEqual(sent.length + rounds)
  for (const id of ids)
    expect(new Set(receiver.posts.filter(p => p.headers['webhook-id'] === id).map(p => p.body)).size).toBe(1)
  expect(await shown()).toMatchObject({ waiting: 0, dead: 0 })

  const tested = await run(['webhook', 'test', 'out', ...webhook])
  expect([tested.code, tested.stdout]).toEqual([
    0,
    expect.stringMatching(/^The receiver of out took a test event in \d+ ms \(204\)\.$/m),
  ])
  receiver.answer = status(500)
  expect(await run(['webhook', 'test', 'out', ...webhook])).toMatchObject({
    code: 1,
    stdout: 'The receiver of out did not take a test event: it returned 500.\n',
  })
  const list = await run(['webhook', 'list', ...webhook])
  expect(list.stdout).toMatch(/^out +to ana +http:\/\/127\.0\.0\.1:\d+ /m)
})
