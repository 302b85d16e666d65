import { expect, test } from 'vitest'
import { startHub } from '../support/hub.ts'
import { startMachine } from '../support/machine.ts'

test('a message sent by name is in the inbox of that machine, with its sender and text', async () => {
  const hub = await startHub()
  const [chas, sean] = [await startMachine(hub, 'chasclaude'), await startMachine(hub, 'seanclaude')]
  const [from, to] = [await chas.mcp(), await sean.mcp()]

  const sent = await from.call('send', { to: 'seanclaude', message: 'The build is red.' })
  expect(sent).toMatchObject({ isError: false, text: expect.stringMatching(/^Stored for seanclaude/) })

  const inbox = await to.call('inbox')
  expect(inbox.text).toContain('from chasclaude (machine)')
  expect(inbox.text).toContain('> The build is red.')
})
