import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { mintToken } from '../src/protocol/token.ts'
import { startMachine } from './support/machine.ts'
import { sharedHub } from './support/shared-hub.ts'

const hub = sharedHub()
const secret = mintToken('machine')

test('a text with a secret is sent neither by command nor by tool, unless --allow-secret is given on the command line', async () => {
  const chas = await startMachine(hub, 'chas')
  const sean = await hub.join('sean')
  const inbox = async () => (await sean.client.call(api.readInbox)).messages.map(({ body }) => body)
  const { id } = await sean.client.call(api.sendMessage, { body: { to: 'chas', body: 'What is it?' } })

  for (const args of [
    ['sean', `it is ${secret}`],
    ['--reply-to', id, 'sean', secret],
    ['sean', '-'],
  ]) {
    const { code, stdout, stderr } = await chas.run(['send', ...args], { input: `one\n${secret}` })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('a Claude Net token')
    expect(stderr).toContain('--allow-secret')
    expect(stderr).not.toContain(secret)
  }
  const { call } = await chas.mcp()
  for (const more of [{}, { reply_to: id }]) {
    const { text, isError } = await call('send', { to: 'sean', message: `it is ${secret}`, ...more })
    expect([isError, text]).toEqual([true, expect.stringContaining('nothing was sent')])
    expect(text).not.toContain(secret)
  }
  expect(await inbox()).toEqual([])
  expect((await chas.run(['send', 'sean', secret, '--allow-secret'])).code).toBe(0)
  expect(await inbox()).toEqual([secret])
})

test('the tools that the hub serves refuse secrets too; its own route for sends does not', async () => {
  const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
  const answer = await fetch(new URL('/mcp', hub.url), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${ana.token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
    },
    body: JSON.stringify({
      ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
      params: { name: 'claude_net_send', arguments: { to: 'ben', message: secret } },
    }),
  })
  expect(await answer.text()).toContain('nothing was sent')
  expect((await ben.client.call(api.readInbox)).messages).toEqual([])
  await ana.client.call(api.sendMessage, { body: { to: 'ben', body: secret } })
  expect((await ben.client.call(api.readInbox)).messages).toHaveLength(1)
})

test('a message kept before the check existed is sent', async () => {
  const machine = await startMachine(hub, 'old')
  const reader = await hub.join('reader')
  const outbox = join(machine.home, 'outbox')
  mkdirSync(outbox, { mode: 0o700 })
  const id = newMessageId()
  writeFileSync(join(outbox, `000000000001-${id}.json`), JSON.stringify({ id, to: 'reader', body: secret }))
  expect((await machine.run(['inbox'])).code).toBe(0)
  expect((await reader.client.call(api.readInbox)).messages.map(message => message.id)).toEqual([id])
})
