import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { HistoryAnswer, InboxAnswer, maxBodyBytes } from '../src/protocol/messages.ts'
import { startHub } from './support/hub.ts'
import { startMachine } from './support/machine.ts'
import { raw } from './support/raw.ts'

/** Maximum size of one response, in bytes. */
const maxAnswerBytes = 1024 * 1024

/** A text that takes six times its size as JSON. */
const escaped = `x${'\u0001'.repeat(maxBodyBytes - 1)}`

test('no page of an inbox or of history exceeds 1 MiB, and successive pages miss nothing', async () => {
  const hub = await startHub()
  const sean = await startMachine(hub, 'sean')
  const ana = await hub.join('ana')
  const sent: string[] = []
  for (let n = 0; n < 33; n++) {
    const { id } = await ana.client.call(api.sendMessage, { body: { to: 'sean', body: n === 20 ? 'short' : escaped } })
    sent.push(id)
  }
  const token = readFileSync(join(sean.home, 'token'), 'utf8').trim()
  const inbox: string[] = []
  for (let after = ''; ; ) {
    const { text, json } = await raw(hub, { path: `/v1/inbox${after}`, token })
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxAnswerBytes)
    const { messages, more, unread, cursor } = InboxAnswer.parse(json)
    inbox.push(...messages.map(({ id }) => id))
    expect({ more, unread }).toEqual({ more: sent.length - inbox.length, unread: sent.length })
    if (more === 0) break
    after = `?after=${cursor}`
  }
  expect(inbox).toEqual(sent)

  const history: string[] = []
  for (let before = ''; ; ) {
    const { text, json } = await raw(hub, { path: `/v1/messages${before}`, token: ana.token })
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxAnswerBytes)
    const { messages, more } = HistoryAnswer.parse(json)
    history.unshift(...messages.map(({ message }) => message.id).reverse())
    if (!more) break
    before = `?before=${messages.at(-1)!.message.seq}`
  }
  expect(history).toEqual(sent)

  // Paged results show the number of further ones beside the first page.
  const shown = await sean.run(['inbox', '--json'])
  const { messages, more } = JSON.parse(shown.stdout)
  expect(messages.length + more).toBe(sent.length)
  expect((await sean.run(['inbox'])).stdout).toContain(`${more} more unread.`)
})
