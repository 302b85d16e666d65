import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { maxBodyBytes } from '../src/protocol/messages.ts'
import { startMachine } from './support/machine.ts'
import { emptiedHub } from './support/shared-hub.ts'

const hubAlone = emptiedHub()

/** The longest text allowed, each character of which takes six in JSON. */
const worst = '\u0001'.repeat(maxBodyBytes)

test('any number of the largest messages leaves inbox and history readable: pages end early, and count the rest', async () => {
  const hub = await hubAlone()
  const [sender, reader] = [await hub.join('sender'), await hub.join('reader')]
  for (let n = 0; n < 60; n++) await sender.client.call(api.sendMessage, { body: { to: 'reader', body: worst } })
  const seen = new Set<string>()
  for (let after: string | undefined; ; ) {
    const page = await reader.client.call(api.readInbox, { query: { after } })
    expect(page.unread).toBe(60)
    for (const { id } of page.messages) seen.add(id)
    expect(page.more).toBe(60 - seen.size)
    after = page.cursor
    if (page.more === 0) break
  }
  expect(seen.size).toBe(60)
  const old = await reader.client.call(api.listMessages)
  expect(old.more).toBe(true)
  expect(old.messages.length).toBeGreaterThan(0)
})

test('a text that is too long is refused at once, even without a hub, and not kept', async () => {
  const hub = await hubAlone()
  const machine = await startMachine(hub, 'sender')
  await hub.join('reader')
  await hub.stop()
  const ran = await machine.run(['send', 'reader', '-'], { input: 'x'.repeat(maxBodyBytes + 1) })
  expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining(`${maxBodyBytes} is the most`) })
})
