import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { cleanEnv, hubNode, program, run } from './support/program.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

beforeEach(context => {
  if (Number.parseInt(process.versions.node, 10) < 24)
    context.skip(`the demo runs a hub, which needs Node 24; this is ${process.version}`)
})

test('the demo sends, reads, answers and acks over the real servers, and leaves nothing behind', async () => {
  const tmp = tempDir('demo')
  const { code, stdout, stderr } = await run(['demo', '--once'], { node: hubNode, env: { TMPDIR: tmp, HOME: tmp } })
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/Did you mean seanclaude\?/)
  const [, id] = /^ {4}Stored for seanclaude \([a-z ]+\)\. Message ([0-9a-f-]{36})\.$/m.exec(stdout)!
  expect(stdout).toContain(`
    Message ${id}
    from chasclaude (machine) · just now · request
    > The build is red since your last push.
    > Can you look at test/outbox.test.ts?
`)
  expect(stdout).toMatch(new RegExp(`from seanclaude \\(machine\\) · just now · inform · answers ${id}\n +> Found it`))
  expect(stdout).toMatch(/seanclaude calls claude_net_inbox \{\}\n +No unread messages\./)
  expect(readdirSync(tmp)).toEqual([])
})

test('the demo stays to be looked at until Ctrl-C, and then leaves nothing behind either', async () => {
  const tmp = tempDir('demo')
  const env = cleanEnv({ TMPDIR: tmp, HOME: tmp })
  const child = spawn(hubNode, [program, 'demo'], { env, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  const { pid } = child
  onTestFinished(() => {
    if (child.exitCode === null) process.kill(-pid!, 'SIGKILL')
  })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
  await until('the end of the show', () => stdout.includes('Ctrl-C ends the demo'))

  const [, home, node, file] = /CLAUDE_NET_HOME=(\S+) (\S+) (\S+) send/.exec(stdout)!
  expect([node, file]).toEqual([hubNode, program])
  const looked = await run(['send', 'seanclaude', 'hello from a terminal'], { env: { CLAUDE_NET_HOME: home! } })
  expect(looked).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Stored for seanclaude/) })

  // As a terminal does it: the signal reaches every process of the demo at once.
  process.kill(-pid!, 'SIGINT')
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(readdirSync(tmp)).toEqual([])
})
