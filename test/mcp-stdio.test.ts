import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { expect, onTestFinished, test } from 'vitest'
import { instructions } from '../src/mcp/instructions.ts'
import { toolList } from '../src/mcp/tool-list.ts'
import { cleanEnv, machineNode, program } from './support/program.ts'
import { tempDir } from './support/temp.ts'

/** Returns the environment of a user whose machine has not joined. */
function newcomer(): Record<string, string> {
  const HOME = tempDir('home')
  return cleanEnv({ HOME, CLAUDE_NET_HOME: join(HOME, '.claude-net') })
}

test.each([
  ['of the revisions from 2025', 'legacy', 'other', '2025-11-25'],
  ['of the 2026-07-28 revision', 'auto', 'other', '2026-07-28'],
  ['that would be pushed nothing at the 2026-07-28 revision', 'auto', 'claude-code', '2025-11-25'],
] as const)('the official client %s lists and calls the tools', async (_, mode, name, revision) => {
  const client = new Client({ name, version: '2.1.330' }, { versionNegotiation: { mode } })
  onTestFinished(() => client.close())
  await client.connect(new StdioClientTransport({ command: machineNode, args: [program, 'mcp'], env: newcomer() }))
  expect(client.getNegotiatedProtocolVersion()).toBe(revision)
  expect(client.getInstructions()).toBe(instructions)
  expect((await client.listTools()).tools).toEqual(toolList)
  const called = await client.callTool({ name: 'claude_net_machines', arguments: {} })
  expect(called).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('has not joined a hub') }] })
  const wrong = await client.callTool({ name: 'claude_net_inbox', arguments: { limit: 'many' } })
  expect(wrong).toMatchObject({
    isError: true,
    content: [{ text: expect.stringMatching(/^Input validation error: /) }],
  })
  await expect(client.callTool({ name: 'nothing', arguments: {} })).rejects.toThrow('Tool nothing not found')
})

test('an invalid line gets the error of JSON-RPC, and the end of stdin ends the server', async () => {
  const server = spawn(machineNode, [program, 'mcp'], { env: newcomer(), stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void server.kill('SIGKILL'))
  let heard = ''
  server.stdout.setEncoding('utf8').on('data', text => (heard += text))
  server.stdin.end(
    'no JSON\n[]\n{"jsonrpc":"2.0","id":1,"method":"no/such"}\n{"jsonrpc":"2.0","id":2,"method":"ping"}\nrest',
  )
  expect(await once(server, 'close')).toEqual([0, null])
  const answers = heard
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as { id: unknown; error?: { code: number } })
  expect(answers.map(({ id, error }) => [id, error?.code])).toEqual(
    expect.arrayContaining([
      [null, -32700],
      [null, -32600],
      [1, -32601],
      [2, undefined],
    ]),
  )
})
