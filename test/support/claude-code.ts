import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { findTool } from './newcomer.ts'
import { tempDir } from './temp.ts'
import { until } from './until.ts'

/** Returns the real Claude Code: the path in `CLAUDE_BIN`, or `claude` on the PATH. Undefined if neither runs. */
export function findClaudeCode(): string | undefined {
  const path = process.env.CLAUDE_BIN ?? findTool('claude')
  if (!path) return undefined
  try {
    execFileSync(path, ['--version'], { stdio: 'ignore' })
    return path
  } catch {
    return undefined
  }
}

/** Next output of the model: a text that ends its turn, or a call of one of the product's tools. */
export type Step = { text: string } | { tool: string; input?: Record<string, unknown> }

/** A model that follows a script, over Anthropic's Messages API, and records its requests. */
export class ScriptedModel {
  /** The messages of each request of the conversation, as one string per request. */
  readonly asked: string[] = []
  /** The next outputs, in order; after the last one, each output is 'done'. */
  readonly steps: (Step | (() => Promise<Step>))[] = []
  url = ''

  async listen(): Promise<void> {
    const server = createServer((request, response) => void this.#answer(request, response))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let raw = ''
    for await (const chunk of request) raw += chunk
    if (request.method !== 'POST' || !request.url?.startsWith('/v1/messages')) return void response.writeHead(404).end()
    if (request.url.includes('count_tokens')) return json(response, { input_tokens: 1 })
    const body = JSON.parse(raw) as {
      model: string
      stream?: boolean
      tools?: unknown[]
      messages: unknown
      system?: unknown
    }
    // Titles and the like are requested without tools.
    const isConversation = (body.tools?.length ?? 0) > 0
    if (isConversation) this.asked.push(JSON.stringify(body.messages))
    const next = isConversation ? this.steps.shift() : { text: 'ok' }
    const step = typeof next === 'function' ? await next() : (next ?? { text: 'done' })
    const block =
      'tool' in step
        ? { type: 'tool_use', id: `toolu_${this.asked.length}`, name: step.tool, input: step.input ?? {} }
        : { type: 'text', text: step.text }
    const stop_reason = 'tool' in step ? 'tool_use' : 'end_turn'
    const message = {
      id: `msg_${this.asked.length}`,
      type: 'message',
      role: 'assistant',
      model: body.model,
      usage: { input_tokens: 1, output_tokens: 1 },
    }
    if (!body.stream) return json(response, { ...message, content: [block], stop_reason, stop_sequence: null })
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const send = (type: string, data: object) =>
      response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`)
    send('message_start', { message: { ...message, content: [], stop_reason: null, stop_sequence: null } })
    const isText = block.type === 'text'
    const empty = isText ? { ...block, text: '' } : { ...block, input: {} }
    const delta = isText
      ? { type: 'text_delta', text: block.text }
      : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) }
    send('content_block_start', { index: 0, content_block: empty })
    send('content_block_delta', { index: 0, delta })
    send('content_block_stop', { index: 0 })
    send('message_delta', { delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 1 } })
    send('message_stop', {})
    response.end()
  }
}

const apiKey = 'sk-ant-api03-dummy-key-for-a-scripted-model-0000000000'

/** The terminal of one session. */
export interface Terminal {
  /** Types a prompt, and waits until the model receives it. */
  type: (line: string) => Promise<void>
  /** Types a command of Claude Code itself, such as /clear, which does not call the model. */
  command: (line: string) => Promise<void>
  close: () => Promise<void>
}

/** A user whose Claude Code uses a scripted model and has completed its first-start dialogs. */
export class ClaudeUser {
  readonly model = new ScriptedModel()
  readonly home: string
  readonly cwd: string
  readonly #claude: string

  constructor(home: string, claude: string, cwd = tempDir('project')) {
    this.home = home
    this.cwd = cwd
    this.#claude = claude
  }

  /** Must be called after `join` has written the user's files. */
  async prepare(): Promise<void> {
    await this.model.listen()
    const file = join(this.home, '.claude.json')
    const state = JSON.parse(readFileSync(file, 'utf8')) as { projects?: object }
    writeFileSync(
      file,
      JSON.stringify({
        ...state,
        hasCompletedOnboarding: true,
        theme: 'dark',
        customApiKeyResponses: { approved: [apiKey.slice(-20)], rejected: [] },
        projects: {
          ...state.projects,
          [this.cwd]: { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true },
        },
      }),
    )
  }

  /** Runs `claude -p` and waits for its end. */
  async print(prompt: string): Promise<{ code: number | null; stdout: string }> {
    const child = spawn(this.#claude, ['-p', '--permission-mode', 'default'], { env: this.#env, cwd: this.cwd })
    onTestFinished(() => void child.kill('SIGKILL'))
    child.stdin.end(prompt)
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
    child.stderr.resume()
    const code = await new Promise<number | null>(resolve => child.on('close', resolve))
    return { code, stdout }
  }

  /** Starts an interactive session on a terminal of its own (`script` of util-linux), ready for input. */
  async interactive(ready: () => boolean, args = ''): Promise<Terminal> {
    const line = `stty cols 160 rows 50; exec '${this.#claude}' --permission-mode default ${args}`
    const child = spawn(findTool('script')!, ['-qec', line, '/dev/null'], { env: this.#env, cwd: this.cwd })
    onTestFinished(() => void child.kill('SIGTERM'))
    let screen = ''
    child.stdout.setEncoding('utf8').on('data', text => (screen += text))
    await until('a prompt', () => screen.includes('❯') && ready(), 90_000)
    return {
      command: async text => {
        child.stdin.write(text)
        await delay(500)
        child.stdin.write('\r')
      },
      close: async () => {
        child.kill('SIGTERM')
        await once(child, 'exit')
      },
      type: async text => {
        const before = this.model.asked.length
        await until(
          'the prompt to be taken',
          async () => {
            child.stdin.write(text)
            // Typed together, they would be treated as pasted text that contains a line end.
            await delay(500)
            child.stdin.write('\r')
            return until('a request', () => this.model.asked.length > before, 5000).catch(() => false)
          },
          90_000,
        )
      },
    }
  }

  get #env(): Record<string, string> {
    return {
      PATH: process.env.PATH ?? '',
      HOME: this.home,
      LANG: 'C.UTF-8',
      TERM: 'xterm-256color',
      SHELL: '/bin/sh',
      ANTHROPIC_BASE_URL: this.model.url,
      ANTHROPIC_API_KEY: apiKey,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      CLAUDE_CODE_TMPDIR: this.home,
      DISABLE_AUTOUPDATER: '1',
      DISABLE_TELEMETRY: '1',
      DISABLE_ERROR_REPORTING: '1',
      ENABLE_TOOL_SEARCH: 'false',
    }
  }
}

function json(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
