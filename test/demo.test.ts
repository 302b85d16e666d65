import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { picture, recording, transcript } from '../docs/recording/record.ts'
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
  // Whether a session is already online in the output depends on milliseconds.
  const drawn = (svg: string) =>
    svg.replaceAll(/\((?:online|no session yet)\)/g, '(…)').replaceAll(/\d+\.\d+%?/g, 'time')
  const shown = drawn(picture(transcript(stdout)))
  expect(drawn(readFileSync(recording, 'utf8')), 'the recording of the README is another demo: npm run record').toBe(
    shown,
  )
})

test('with --json the demo prints each step as one JSON object per line, and nothing else', async () => {
  const tmp = tempDir('demo')
  const ran = await run(['demo', '--once', '--json'], { node: hubNode, env: { TMPDIR: tmp, HOME: tmp } })
  expect(ran).toMatchObject({ code: 0, stderr: '' })
  const steps = ran.stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  expect(steps.slice(0, 3)).toMatchObject([
    { event: 'hub', url: expect.stringMatching(/^http:/) },
    { event: 'joined', machine: 'chasclaude' },
    { event: 'joined', machine: 'seanclaude' },
  ])
  const [, , , ...calls] = steps
  expect(calls.map(({ event, machine, tool }) => [event, machine, tool])).toEqual(
    ['send', 'send', 'inbox', 'send', 'inbox', 'inbox', 'machines'].map((tool, n) => [
      'called',
      [2, 3, 5].includes(n) ? 'seanclaude' : 'chasclaude',
      `claude_net_${tool}`,
    ]),
  )
  expect(calls[5]).toMatchObject({ arguments: {}, text: 'No unread messages.' })
})

test('the demo runs until Ctrl-C so that it can be explored, and then removes everything', {
  timeout: 180_000,
}, async () => {
  const { child, tmp, shown } = await startDemo()
  const stdout = await shown('Ctrl-C ends the demo')
  const [, home, node, file] = /CLAUDE_NET_HOME=(\S+) (\S+) (\S+) send/.exec(stdout)!
  expect([node, file]).toEqual([hubNode, program])
  const looked = await run(['send', 'seanclaude', 'hello from a terminal'], { env: { CLAUDE_NET_HOME: home! } })
  expect(looked).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Stored for seanclaude/) })

  // The signal reaches every process of the demo at once, as from a terminal.
  process.kill(-child.pid!, 'SIGINT')
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(readdirSync(tmp)).toEqual([])
})

test.for(['a reader who leaves', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
  'a demo that %s ends leaves no process behind',
  {
    timeout: 180_000,
  },
  async end => {
    const { child, tmp, shown } = await startDemo()
    await shown('A hub listens at')
    const ended = once(child, 'exit')
    if (end === 'a reader who leaves') child.stdout.destroy()
    else child.kill(end)
    expect(await ended).toEqual(end === 'SIGKILL' ? [null, 'SIGKILL'] : [0, null])
    // The processes that it started are in its process group.
    await until('every process has ended', () => processesIn(child.pid!).length === 0)
    if (end !== 'SIGKILL') expect(readdirSync(tmp)).toEqual([])
  },
)

/** Starts a demo that stays, in a process group of its own. */
async function startDemo() {
  const tmp = tempDir('demo')
  const env = cleanEnv({ TMPDIR: tmp, HOME: tmp })
  const child = spawn(hubNode, [program, 'demo'], { env, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  onTestFinished(() => {
    for (const pid of processesIn(child.pid!)) process.kill(pid, 'SIGKILL')
  })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
  const shown = async (text: string) => {
    await until(`the demo to show: ${text}`, () => stdout.includes(text), 150_000)
    return stdout
  }
  return { child, tmp, shown }
}

/** Returns the processes of a group, except zombies. */
function processesIn(group: number): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => {
      try {
        const [, state, , processGroup] = /\) (\S) (\d+) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))!
        return Number(processGroup) === group && state !== 'Z'
      } catch {
        return false
      }
    })
    .map(Number)
}
