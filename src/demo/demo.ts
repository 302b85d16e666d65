import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'

/** Prints a step of the demo: as text, or with --json as one JSON object. A step without data is text only. */
type Say = (text: string, data?: object) => void

/** The program that the demo starts: the same file that machines get. */
const program = join(import.meta.dirname, 'claude-net.mjs')

/**
 * Runs the main job in a temporary directory: a hub, two machines that join it, and their MCP servers as Claude Code would start them. One
 * sends, the other reads and answers. With a hub.json that has `telegram`, one also writes to a human.
 */
export async function demo({
  once: isOnce = false,
  telegram,
  json = false,
}: {
  once?: boolean
  telegram?: string
  json?: boolean
}): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'claude-net-demo-'))
  const say: Say = (text, data) => {
    if (!json) process.stdout.write(`${text}\n`)
    else if (data) process.stdout.write(`${JSON.stringify(data)}\n`)
  }
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort())
  // The reader of the output has exited, as in `demo | head`.
  process.stdout.on('error', () => stop.abort())
  const data = join(dir, 'hub')
  const hub = spawn(
    process.execPath,
    [
      ...[
        '--max-semi-space-size=2',
        program,
        'hub',
        '--host',
        '127.0.0.1',
        '--port',
        '0',
        '--data',
        data,
        '--log-level',
        'warn',
        '--until-eof',
      ],
      ...(telegram === undefined ? [] : ['--config', telegramConfig(telegram, dir)]),
    ],
    {
      // The write end of the pipe closes however this process ends, and that ends the hub.
      stdio: ['pipe', json ? 2 : 'inherit', 'inherit'],
    },
  )
  const servers: Client[] = []
  const show = async () => {
    const url = await hubUrl(data, hub, stop.signal)
    say(`A hub listens at ${url}. Its store is ${data}.\n`, { event: 'hub', url, data })
    const machine = async (name: string) => {
      const home = join(dir, name)
      const { code } = JSON.parse(await run(['invite', name, '--data', data, '--json'], stop)) as { code: string }
      const args = ['join', url, '--machine', name, '--code-stdin', '--no-claude', '--bin', join(dir, 'bin'), '--json']
      await run(args, { env: { CLAUDE_NET_HOME: home }, input: code, signal: stop.signal })
      say(`$ claude-net invite ${name}          the admin makes the member and its one-time join line`)
      say(`  ${name} has joined; its side is ${home}.`, { event: 'joined', machine: name, home })
      const client = new Client({ name: 'claude-net-demo', version: '1' })
      stop.signal.throwIfAborted()
      servers.push(client)
      await client.connect(
        new StdioClientTransport({
          command: process.execPath,
          args: [program, 'mcp'],
          env: { ...(process.env as Record<string, string>), CLAUDE_NET_HOME: home },
          // Not the project of the user who runs the demo.
          cwd: dir,
          stderr: 'inherit',
        }),
      )
      return async (tool: string, args: Record<string, unknown> = {}) => {
        say(`\n${name} calls ${tool} ${JSON.stringify(args)}`)
        const { content } = await client.callTool({ name: tool, arguments: args })
        const text = content.map(part => (part.type === 'text' ? part.text : '')).join('')
        say(text.replace(/^/gm, '    '), { event: 'called', machine: name, tool, arguments: args, text })
        return text
      }
    }
    const chas = await machine('chasclaude')
    const sean = await machine('seanclaude')

    say('\nTwo Claude Code sessions, each with the MCP server of its machine:')
    await chas('claude_net_send', { to: 'seancluade', message: 'hello?' })
    await chas('claude_net_send', {
      to: 'seanclaude',
      message: 'The build is red since your last push.\nCan you look at test/outbox.test.ts?',
    })
    const inbox = await sean('claude_net_inbox')
    const id = /^Message (\S+)$/m.exec(inbox)?.[1]
    await sean('claude_net_send', {
      to: 'chasclaude',
      message: 'Found it: a missing await. Fixed and pushed.',
      reply_to: id,
    })
    await chas('claude_net_inbox', { ack: true })
    await sean('claude_net_inbox')
    await chas('claude_net_machines')

    say('\nThe message was stored on disk before it was called stored, and the reply acked it.')
    if (telegram === undefined) {
      say('\nPeople are members too, on Telegram. With a bot of your own, set up as docs/telegram.md says:')
      say('  npm run demo -- --telegram hub.json')
    } else await writeToHuman(data, chas, say, stop.signal)
    if (isOnce) return
    say('\nLook around, in another terminal:', { event: 'waiting', program })
    const here = `CLAUDE_NET_HOME=${join(dir, 'chasclaude')} ${process.execPath} ${program}`
    say(`  ${here} send seanclaude "hello from a terminal"`)
    say(`  ${here} watch`)
    say(`  curl ${url}/healthz`)
    say('\nCtrl-C ends the demo and removes its directory.')
    await delay(2 ** 31 - 1, undefined, { signal: stop.signal })
  }
  const showing = show()
  try {
    await Promise.race([showing, once(stop.signal, 'abort')])
  } catch (error) {
    if (!stop.signal.aborted) throw error
  } finally {
    // All processes end before the directory is removed.
    stop.abort()
    await Promise.all(servers.map(server => server.close()))
    await showing.catch(() => {})
    hub.kill('SIGTERM')
    if (!hasEnded(hub)) await once(hub, 'exit')
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Writes a configuration with only the `telegram` part of `file`; returns its path. */
function telegramConfig(file: string, dir: string): string {
  const { telegram } = JSON.parse(readFileSync(file, 'utf8')) as { telegram?: { tokenFile?: string } }
  if (!telegram) throw new Error(`${file} has no field telegram; examples/hub.telegram.json shows one.`)
  const tokenFile = telegram.tokenFile && resolve(dirname(file), telegram.tokenFile)
  const config = join(dir, 'hub.json')
  writeFileSync(config, JSON.stringify({ telegram: { ...telegram, tokenFile } }), { mode: 0o600 })
  return config
}

interface TelegramStatus {
  bot: string | null
  trouble: string | null
  people: { name: string; userId: number | null; waiting: number }[]
}

/** Sends a message from a machine to the first human in hub.json, and prints whether Telegram accepted it. */
async function writeToHuman(
  data: string,
  call: (tool: string, args: Record<string, unknown>) => Promise<string>,
  say: Say,
  signal: AbortSignal,
): Promise<void> {
  const status = async () => JSON.parse(await run(['telegram', '--data', data, '--json'], { signal })) as TelegramStatus
  say('\nA human is a member too, reached on Telegram:')
  const [person] = (await status()).people
  if (!person) return
  await call('claude_net_send', {
    to: person.name,
    message: 'Hello from the demo. Reply to this message, and I will receive it.',
  })
  let now = await status()
  for (let tries = 0; tries < 60 && !signal.aborted; tries++) {
    if (now.people[0]?.waiting === 0 || now.trouble !== null) break
    await delay(500)
    now = await status()
  }
  if (now.people[0]?.waiting !== 0) {
    const { trouble } = now
    say(`\nTelegram has not accepted it yet; it waits. ${trouble ?? ''}`, {
      event: 'telegram',
      to: person.name,
      sent: false,
      trouble,
    })
    say(`To see why: ${process.execPath} ${program} telegram check --data ${data}`)
    return
  }
  say(`\nTelegram has accepted it: look there. Reply to it, then read chasclaude's inbox, as below with "inbox".`, {
    event: 'telegram',
    to: person.name,
    sent: true,
  })
  if (person.userId !== null) return
  say(`First an admin must confirm once who ${person.name} is: they write /whoami in the group, then`)
  say(`  ${process.execPath} ${program} telegram confirm ${person.name} --data ${data}`)
}

/** Returns the address at which the hub listens, once it does. */
async function hubUrl(data: string, hub: ChildProcess, signal: AbortSignal): Promise<string> {
  const file = join(data, 'hub.url')
  while (!existsSync(file)) {
    if (hasEnded(hub)) throw new Error('The hub did not start; its log is above.')
    await delay(20, undefined, { signal })
  }
  return readFileSync(file, 'utf8').trim()
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

/** Runs one command of the program with `input` on stdin; returns its stdout. */
function run(
  args: string[],
  { env, input, signal }: { env?: Record<string, string>; input?: string; signal: AbortSignal },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
      signal,
    })
    // An aborted process is still awaited.
    child.on('error', () => {})
    child.stdin.on('error', () => {}).end(input)
    let out = ''
    child.stdout.setEncoding('utf8').on('data', text => (out += text))
    child.on('close', code => (code === 0 ? resolve(out) : reject(new Error(`claude-net ${args[0]} failed (${code})`))))
  })
}
