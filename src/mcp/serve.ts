import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type JSONRPCMessage, McpServer } from '@modelcontextprotocol/server'
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio'
import { Heartbeat } from '../client/heartbeat.ts'
import type { Home } from '../client/home.ts'
import { type Machine, openMachine } from '../client/machine.ts'
import { tellPolicy } from '../client/policy.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { version } from '../protocol/version.ts'
import { instructions } from './instructions.ts'
import { ReadState } from './read-state.ts'
import { registerTools } from './tools.ts'

/** How often the parent is looked at, in ms. */
const parentCheckMs = 2000

/** How long the last acks and the goodbye may take, in ms. What a hub has not heard by then, it shows again. */
const leaveMs = 1000

/**
 * The stdio MCP server of one Claude Code session. Runs until stdin ends, the parent dies or a signal comes, then says goodbye
 * to the hub. Starts also on a machine that has not joined: its tools then say how, and work as soon as it has.
 */
export async function serveMcp(home: Home): Promise<void> {
  const sessionSeed = process.env.CLAUDE_CODE_SESSION_ID || randomUUID()
  const session = `${sessionSeed.replace(/[^A-Za-z0-9_-]/g, '').slice(0, 8)}-${process.pid}`
  let opened: { machine: Machine; heartbeat: Heartbeat } | undefined
  let isPolicyTold = false
  const notTold = (error: unknown) => {
    // What the hub refuses it refuses again; what it did not hear is told with the next heartbeat.
    isPolicyTold = error instanceof ClaudeNetError && error.settled
    report(error)
  }
  const open = () => {
    if (!opened) {
      const machine = openMachine(home)
      const onAlive = () => {
        if (!isPolicyTold) tellPolicy(machine.client, machine.config).catch(notTold)
        isPolicyTold = true
        void machine.outbox.drain().catch(report)
      }
      opened = {
        machine,
        heartbeat: new Heartbeat(machine.client, { session, client: `claude-net/${version}`, onAlive }),
      }
    }
    return opened.machine
  }
  const readState = new ReadState(() => open().client, session)

  // Wired by hand, not by serveStdio: a server that speaks the 2026-07-28 revision can push nothing to Claude Code.
  const server = new McpServer({ name: 'claude-net', version }, { instructions })
  registerTools(server, { machine: open, readState, sessionSeed })
  const ended = endOfClient(server)
  const transport = new StdioServerTransport()
  await server.connect(transport)
  observe(transport, readState)
  try {
    open()
  } catch {
    // Not joined, or not well: every tool call says so.
  }

  await ended
  await Promise.race([Promise.all([readState.close(), opened?.heartbeat.stop()]), delay(leaveMs)])
  // A send without an answer may have reached the hub or not. Under its id it can go out again.
  opened?.machine.outbox.keepUnderWay()
  process.exit(0)
}

/** Lets `readState` know what was written to the client and what the client says. */
function observe(transport: StdioServerTransport, readState: ReadState): void {
  const { send, onmessage } = transport
  transport.send = async message => {
    await send.call(transport, message)
    if ('id' in message && message.id !== undefined && 'result' in message) readState.answerWritten(message.id)
  }
  transport.onmessage = message => {
    const cancelled = cancelledRequest(message)
    if (cancelled === undefined) readState.clientSpoke()
    else readState.cancelled(cancelled)
    onmessage?.call(transport, message)
  }
}

function cancelledRequest(message: JSONRPCMessage): string | number | undefined {
  if (!('method' in message) || message.method !== 'notifications/cancelled') return undefined
  return (message.params as { requestId?: string | number } | undefined)?.requestId
}

/** Resolves when nobody is there any more: stdin has ended, the parent has died, or a signal asks to go. */
function endOfClient(server: McpServer): Promise<void> {
  return new Promise(resolve => {
    server.server.onclose = resolve
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
    process.stdout.on('error', () => resolve())
    const parent = process.ppid
    setInterval(() => process.ppid !== parent && resolve(), parentCheckMs).unref()
  })
}

function report(error: unknown): void {
  process.stderr.write(`claude-net: ${error instanceof Error ? error.message : String(error)}\n`)
}
