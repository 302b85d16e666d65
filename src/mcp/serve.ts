import { setFlagsFromString } from 'node:v8'
import { homeDir } from '../client/home-dir.ts'
import { version } from '../protocol/version.ts'
import { instructions } from './instructions.ts'
import type { Session } from './session.ts'
import { StdioServer } from './stdio/stdio-server.ts'
import { type ToolName, toolList } from './tool-list.ts'

/** How often the parent is looked at, in ms. */
const parentCheckMs = 2000

/** How long a client may take to list the tools before the session is opened all the same, in ms. */
const listMs = 500

/** How long the last acks and the goodbye may take, in ms. What a hub has not heard by then, it shows again. */
const leaveMs = 1000

/**
 * The stdio MCP server of one Claude Code session. Runs until stdin ends, the parent dies or a signal comes, then says goodbye
 * to the hub. Claude Code waits for its tools before it begins, so they are listed before anything else is loaded; the session
 * itself is opened right after.
 */
export async function serveMcp(): Promise<void> {
  // It computes little: what is compiled to run fast would be 4 MB of each session.
  setFlagsFromString('--no-opt')
  const parent = process.ppid
  const dir = homeDir()
  let session: Session | undefined
  let opening: Promise<Session> | undefined
  const open = () => {
    opening ??= import('./session.ts').then(({ openSession }) => {
      session = openSession({ homeDir: dir, parent, notify: (method, params) => server.notify(method, params) })
      return session
    })
    return opening
  }
  const openSoon = () => void open().catch(error => process.stderr.write(`claude-net: ${error}\n`))
  const server = new StdioServer({
    info: { name: 'claude-net', version },
    instructions,
    capabilities: { experimental: { 'claude/channel': {} } },
    tools: toolList,
    callTool: async (name, given, { id, meta, signal }) =>
      (await open()).runs[name as ToolName](given, { id, signal, toolUseId: meta['claudecode/toolUseId'] }),
    onHeard: cancelled => {
      if (cancelled === undefined) session?.readState.clientSpoke()
      else session?.readState.cancelled(cancelled)
    },
    onAnswered: (id, method) => {
      session?.readState.answerWritten(id)
      if (method === 'tools/list') setImmediate(openSoon)
    },
  })
  const ended = endOfClient(server, parent)
  server.start()
  setTimeout(openSoon, listMs).unref()

  await ended
  // One that was being opened is there in a moment; one that nobody has asked for need not be.
  const opened = await opening?.catch(() => undefined)
  await Promise.race([opened?.leave(), new Promise(resolve => setTimeout(resolve, leaveMs))])
  opened?.keepUnderWay()
  process.exit(0)
}

/** Resolves when nobody is there any more: stdin has ended, the parent has died, or a signal asks to go. */
function endOfClient(server: StdioServer, parent: number): Promise<void> {
  return new Promise(resolve => {
    void server.closed.then(resolve)
    // Not once: a package that removes its locks at a signal ends the process where nobody else listens to it.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
    setInterval(() => process.ppid !== parent && resolve(), parentCheckMs).unref()
  })
}
