import { statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { startMachine } from './support/machine.ts'
import { program } from './support/program.ts'
import { emptiedHub } from './support/shared-hub.ts'

const hubAlone = emptiedHub()

/** Maximum number of characters that a session of Claude reads before the first prompt: 1,000 tokens of about four characters. */
const toolsCharacters = 4_000

/** Longest instructions that Claude Code passes on uncut, according to its documentation. */
const instructionsCharacters = 2_048

test('the tokens that a session costs before the first message stay within their budget', async () => {
  const session = await (await startMachine(await hubAlone(), 'seanclaude')).mcp()
  const { tools } = await session.client.listTools()
  expect(JSON.stringify(tools).length).toBeLessThan(toolsCharacters)
  expect(session.client.getInstructions()!.length).toBeLessThan(instructionsCharacters)
})

test('the results for an empty inbox and for a short message stay short', async () => {
  const hub = await hubAlone()
  const [chas, sean] = [await startMachine(hub, 'chasclaude'), await startMachine(hub, 'seanclaude')]
  const [from, to] = [await chas.mcp(), await sean.mcp()]
  expect((await to.call('inbox')).text.length).toBeLessThan(80)

  const sent = await from.call('send', { to: 'seanclaude', message: 'The build is red since your last push.' })
  expect(sent.text.length).toBeLessThan(160)
  expect((await to.call('inbox')).text.length).toBeLessThan(700)
  // A message that was shown before has the longest frame, which says so.
  expect((await to.call('inbox')).text.length).toBeLessThan(700)
})

test("the machine's side is one file of at most 1 MB", () => {
  expect(statSync(program).size).toBeLessThanOrEqual(1_000_000)
})
