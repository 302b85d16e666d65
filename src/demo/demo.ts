import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'

/** What the demo starts is the very file that machines get. */
const program = join(import.meta.dirname, 'claude-net.mjs')

/**
 * The main job, for real, in a throw-away directory: a hub, two machines that join it, and their MCP servers as Claude Code
 * would start them. One sends, the other reads and answers.
 */
export async function demo({ once = false }: { once?: boolean }): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'claude-net-demo-'))
  const say = (text = '') => process.stdout.write(`${text}\n`)
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const data = join(dir, 'hub')
  const hub = spawn(
    process.execPath,
    [program, 'hub', '--host', '127.0.0.1', '--port', '0', '--data', data, '--log-level', 'warn'],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  )
  const servers: Client[] = []
  try {
    const url = await hubUrl(data, hub)
    say(`A hub listens at ${url}. Its store is ${data}.`)
    say()
    const machine = async (name: string) => {
      const home = join(dir, name)
      const { code } = JSON.parse(await run(['invite', name, '--data', data, '--json'])) as { code: string }
      const args = ['join', url, '--machine', name, '--code', code, '--no-claude', '--bin', join(dir, 'bin'), '--json']
      await run(args, { CLAUDE_NET_HOME: home })
      say(`$ claude-net invite ${name}          the admin makes the member and its one-time join line`)
      say(`  ${name} has joined; its side is ${home}.`)
      const client = new Client({ name: 'claude-net-demo', version: '1' })
      await client.connect(
        new StdioClientTransport({
          command: process.execPath,
          args: [program, 'mcp'],
          env: { ...(process.env as Record<string, string>), CLAUDE_NET_HOME: home },
          stderr: 'inherit',
        }),
      )
      servers.push(client)
      return async (tool: string, args: Record<string, unknown> = {}) => {
        say(`\n${name} calls ${tool} ${JSON.stringify(args)}`)
        const { content } = await client.callTool({ name: tool, arguments: args })
        const text = content.map(part => (part.type === 'text' ? part.text : '')).join('')
        say(text.replace(/^/gm, '    '))
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
    if (once) return
    say('\nLook around, in another terminal:')
    const here = `CLAUDE_NET_HOME=${join(dir, 'chasclaude')} ${process.execPath} ${program}`
    say(`  ${here} send seanclaude "hello from a terminal"`)
    say(`  ${here} watch`)
    say(`  curl ${url}/healthz`)
    say('\nCtrl-C ends the demo and removes its directory.')
    await delay(2 ** 31 - 1, undefined, { signal: stop.signal }).catch(() => {})
  } finally {
    await Promise.all(servers.map(server => server.close()))
    hub.kill('SIGTERM')
    if (hub.exitCode === null) await new Promise(resolve => hub.once('exit', resolve))
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Where the hub listens, once it does. */
async function hubUrl(data: string, hub: ChildProcess): Promise<string> {
  const file = join(data, 'hub.url')
  while (!existsSync(file)) {
    if (hub.exitCode !== null) throw new Error('The hub did not start; its log is above.')
    await delay(20)
  }
  return readFileSync(file, 'utf8').trim()
}

/** Runs one command of the program and answers what it printed. */
function run(args: string[], env: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let out = ''
    child.stdout.setEncoding('utf8').on('data', text => (out += text))
    child.on('close', code => (code === 0 ? resolve(out) : reject(new Error(`claude-net ${args[0]} failed (${code})`))))
  })
}
