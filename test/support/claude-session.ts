import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { basename, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { noticeOf, ownDir } from '../../src/notice/hook.ts'
import type { HookInput } from '../../src/notice/session-state.ts'
import type { McpSession, TestMachine } from './machine.ts'
import { cleanEnv, programCommand, run } from './program.ts'
import { tempDir } from './temp.ts'
import { until } from './until.ts'

/** A hook process that waits for a wake. */
export interface Waiter {
  process: ChildProcess
  /** Its exit status and stderr, once it has ended. */
  ended: Promise<{ code: number | null; stderr: string }>
}

let sessions = 0

/**
 * The parts of a Claude Code session that Claude Net uses: its environment for MCP servers and hooks, its inbox socket, and its hooks. They
 * follow Claude Code's documentation and 2.1.330.
 */
export class ClaudeSession {
  readonly machine: TestMachine
  readonly socket: string
  /** The JSON lines received through the inbox socket. */
  readonly lines: Record<string, unknown>[] = []
  readonly #number = ++sessions
  readonly #more: Record<string, string>

  constructor(machine: TestMachine, more: Record<string, string>) {
    this.machine = machine
    this.#more = more
    this.socket = join(tempDir('socks'), `${10_000 + this.#number}.sock`)
  }

  get env(): Record<string, string> {
    return {
      CLAUDECODE: '1',
      CLAUDE_CODE_ENTRYPOINT: 'cli',
      CLAUDE_CODE_SESSION_ATTENDED: '1',
      CLAUDE_CODE_SESSION_ID: `${String(this.#number).padStart(8, '0')}-id`,
      CLAUDE_CODE_MESSAGING_SOCKET: this.socket,
      CLAUDE_CODE_MESSAGING_TOKEN: `token-${this.#number}`,
      ...this.#more,
    }
  }

  /** Texts received through the inbox socket, without the envelope; Claude Code shows each as one line. */
  get wakes(): string[] {
    return this.lines
      .filter(({ type }) => type === 'user')
      .map(({ message }) => {
        const { content } = message as { content: string }
        const [, text] =
          /^<cross-session-message from-name="Claude Net">\n([\s\S]*)\n<\/cross-session-message>$/.exec(content) ?? []
        if (text === undefined) throw new Error(`A wake without its envelope: ${content}`)
        return text
      })
  }

  /** Writes Claude Code's record of this session, which has none by default. Its status starts now. */
  writeRecord(record: Record<string, unknown>): void {
    const dir = join(this.machine.userHome, '.claude', 'sessions')
    mkdirSync(dir, { recursive: true })
    const pid = Number(basename(this.socket, '.sock'))
    const file = { pid, messagingSocketPath: this.socket, statusUpdatedAt: Date.now(), ...record }
    writeFileSync(join(dir, `${pid}.json`), JSON.stringify(file))
  }

  listen(): Promise<void> {
    const server = createServer(connection => {
      let text = ''
      connection.setEncoding('utf8').on('data', chunk => (text += chunk))
      connection.on('end', () => {
        for (const line of text.split('\n')) if (line !== '') this.lines.push(JSON.parse(line))
      })
    })
    onTestFinished(() => void server.close())
    return new Promise(resolve => server.listen(this.socket, resolve))
  }

  /** Starts the session's MCP server. */
  mcp(): Promise<McpSession> {
    return this.machine.mcp(this.env)
  }

  /**
   * Runs one hook in this process, as `claude-net hook` does once it has read its input, in a hundredth of the time. Returns its additional
   * context, '' for none.
   */
  async hook(event: string, input: Record<string, unknown> = {}): Promise<string> {
    const env = { ...this.machine.env, ...this.env }
    const output = withEnv(env, () => {
      const dir = ownDir(env)
      return dir ? noticeOf(dir, { ...inputOf(event), ...input }, env) : ''
    })
    return contextIn(output, event)
  }

  /** Runs one hook in a process of its own, as Claude Code does. Throws if it does anything except add context. */
  async hookProcess(event: string, input: Record<string, unknown> = {}): Promise<string> {
    const { code, stdout, stderr } = await run(['hook'], {
      env: { ...this.machine.env, ...this.env },
      input: JSON.stringify({ ...inputOf(event), ...input }),
    })
    if (code !== 0 || stderr !== '') throw new Error(`A hook disturbs: exit ${code}, ${stderr}`)
    return contextIn(stdout, event)
  }

  /** Runs a hook until it announces something. */
  untilAnnounced(event: string, input?: Record<string, unknown>): Promise<string> {
    return until(`a ${event} hook that announces something`, () => this.hook(event, input))
  }

  /** Starts the hook that waits for a wake. Resolves once it waits, or has ended. */
  waiter(): Waiter {
    const [command, ...before] = programCommand()
    const child = spawn(command, [...before, 'hook', '--wait'], {
      env: cleanEnv({ ...this.machine.env, ...this.env }),
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    child.stdin!.end(JSON.stringify({ hook_event_name: 'Stop', permission_mode: 'default' }))
    let stderr = ''
    child.stderr!.setEncoding('utf8').on('data', chunk => (stderr += chunk))
    const ended = new Promise<{ code: number | null; stderr: string }>(resolve =>
      child.on('close', code => resolve({ code, stderr })),
    )
    return { process: child, ended }
  }
}

function inputOf(event: string): HookInput {
  return { hook_event_name: event, permission_mode: 'default' }
}

/** Returns the text that the output of a hook adds to the session's context. Throws if it names another event. */
function contextIn(output: string, event: string): string {
  if (output === '') return ''
  const { hookSpecificOutput } = JSON.parse(output)
  if (hookSpecificOutput.hookEventName !== event) throw new Error(`The output is for another event: ${output}`)
  return hookSpecificOutput.additionalContext
}

/** Runs `work`, which must be synchronous, with `env` over the environment of this process. */
function withEnv<T>(env: Record<string, string>, work: () => T): T {
  const before = Object.keys(env).map(name => [name, process.env[name]] as const)
  Object.assign(process.env, env)
  try {
    return work()
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

/** Starts a session on `machine`; `env` overrides Claude Code's environment. */
export async function startClaude(machine: TestMachine, env: Record<string, string> = {}): Promise<ClaudeSession> {
  const session = new ClaudeSession(machine, env)
  await session.listen()
  return session
}
