import { setFlagsFromString } from 'node:v8'
import { homeDir } from '../client/home-dir.ts'
import { version } from '../protocol/version.ts'
import { instructions } from './instructions.ts'
import type { Session, SessionOptions } from './session.ts'
import { StdioServer } from './stdio/stdio-server.ts'
import { type ToolName, toolList } from './tool-list.ts'

/** Interval at which the parent process is checked, in ms. */
const parentCheckMs = 2000

/** Time after which the session is opened when the client has not listed the tools, in ms. */
const listMs = 500

/** Time for the last acks and the end of the session at the hub, in ms. Messages whose acks do not arrive in this time are shown again. */
const leaveMs = 1000

/**
 * The stdio MCP server of one Claude Code session. Runs until stdin ends, the parent process ends or a signal arrives, then ends the
 * session at the hub. Claude Code waits for the list of tools before it begins, so that is written before anything else is loaded; the
 * session is opened right after it.
 */
export async function serveMcp(): Promise<void> {
  // This process computes little: optimized code would take 4 MB in each session.
  setFlagsFromString('--no-opt')
  const parent = process.ppid
  const server = new StdioServer({
    info: { name: 'claude-net', version },
    instructions,
    capabilities: { experimental: { 'claude/channel': {} } },
    tools: toolList,
  })
  const notify: SessionOptions['notify'] = (method, params) => server.notify(method, params)
  const session = new LazySession({ homeDir: homeDir(), parent, notify })
  const ended = endOfClient(server, parent)
  server.start({
    callTool: async (name, given, { id, meta, signal }) => {
      const { runs } = await session.open()
      return runs[name as ToolName](given, { id, signal, toolUseId: meta['claudecode/toolUseId'] })
    },
    onMessage: cancelled => {
      if (cancelled === undefined) session.opened?.readState.clientSpoke()
      else session.opened?.readState.cancelled(cancelled)
    },
    onAnswered: (id, method) => {
      session.opened?.readState.answerWritten(id)
      if (method === 'tools/list') setImmediate(() => session.openSoon())
    },
  })
  setTimeout(() => session.openSoon(), listMs).unref()

  await ended
  const opened = await session.openedOrOpening()
  await Promise.race([opened?.leave(), new Promise(resolve => setTimeout(resolve, leaveMs))])
  opened?.keepUnderWay()
  process.exit(0)
}

/** Loads and opens the session when it is first needed. */
class LazySession {
  readonly #options: SessionOptions
  #opening: Promise<Session> | undefined
  #opened: Session | undefined

  constructor(options: SessionOptions) {
    this.#options = options
  }

  get opened(): Session | undefined {
    return this.#opened
  }

  open(): Promise<Session> {
    this.#opening ??= import('./session.ts').then(({ openSession }) => (this.#opened = openSession(this.#options)))
    return this.#opening
  }

  /** Opens the session, and reports an error on stderr. */
  openSoon(): void {
    this.open().catch(error => process.stderr.write(`claude-net: ${error}\n`))
  }

  /** Returns the session, waiting for it if it is being opened; undefined if it was never needed, or could not be opened. */
  async openedOrOpening(): Promise<Session | undefined> {
    return this.#opening?.catch(() => undefined)
  }
}

/** Resolves when the client has ended: stdin has closed, the parent process has ended, or a signal arrives. */
function endOfClient(server: StdioServer, parent: number): Promise<void> {
  return new Promise(resolve => {
    void server.closed.then(resolve)
    // Not `once`: a package that removes its locks at a signal ends the process unless another listener remains.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
    setInterval(() => process.ppid !== parent && resolve(), parentCheckMs).unref()
  })
}
