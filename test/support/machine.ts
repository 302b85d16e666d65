import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { onTestFinished } from 'vitest'
import type { TestHub } from './hub.ts'
import { cleanEnv, program, programCommand, type Ran, type RunOptions, run } from './program.ts'
import { tempDir } from './temp.ts'

export interface ToolAnswer {
  text: string
  isError: boolean
}

/** The MCP server of a Claude Code session, called by the official client over stdio. */
export interface McpSession {
  client: Client
  /** The server process. */
  pid: number
  /** Calls `claude_net_<tool>`. `toolUseId` is what Claude Code would put into `_meta`. */
  call: (tool: 'send' | 'inbox' | 'machines', args?: Record<string, unknown>, toolUseId?: string) => Promise<ToolAnswer>
  close: () => Promise<void>
}

/** The client side of a machine: its files, joined to a hub, in a home directory of its own. */
export class TestMachine {
  readonly name: string
  /** `CLAUDE_NET_HOME`. */
  readonly home: string
  /** `HOME`. */
  readonly userHome: string

  constructor(name: string, userHome: string) {
    this.name = name
    this.userHome = userHome
    this.home = join(userHome, '.claude-net')
  }

  get env(): Record<string, string> {
    return { HOME: this.userHome, CLAUDE_NET_HOME: this.home }
  }

  /** Runs one command as this machine. */
  run(args: string[], options: RunOptions = {}): Promise<Ran> {
    return run(args, { cwd: this.userHome, ...options, env: { ...this.env, ...options.env } })
  }

  /**
   * Starts an MCP server as Claude Code would, and connects to it. Closed with the test. `runner` is the command line that runs the built
   * file: Node, or a command that starts Node, such as `['ip', 'netns', 'exec', …, node]`.
   */
  async mcp(env: Record<string, string> = {}, runner?: string[]): Promise<McpSession> {
    const [command, ...before] = runner ? [...runner, program] : programCommand()
    const client = new Client({ name: 'claude-code', version: '2.1.330' })
    const transport = new StdioClientTransport({
      command,
      args: [...before, 'mcp'],
      env: cleanEnv({ ...this.env, ...env }),
      cwd: this.userHome,
    })
    onTestFinished(() => client.close())
    await client.connect(transport)
    return {
      client,
      pid: transport.pid!,
      close: () => client.close(),
      call: async (tool, args = {}, toolUseId) => {
        const _meta = toolUseId === undefined ? undefined : { 'claudecode/toolUseId': toolUseId }
        const result = await client.callTool({ name: `claude_net_${tool}`, arguments: args, _meta })
        const text = result.content.map(part => (part.type === 'text' ? part.text : '')).join('')
        return { text, isError: result.isError === true }
      },
    }
  }
}

/** Creates a machine that has joined `hub`, with the files that `join` would write, without running the installer. */
export async function startMachine(hub: TestHub, name: string, owner?: string): Promise<TestMachine> {
  const { token } = await hub.join(name, 'machine', owner)
  const machine = new TestMachine(name, tempDir(name))
  mkdirSync(machine.home, { recursive: true, mode: 0o700 })
  writeFileSync(
    join(machine.home, 'config.json'),
    JSON.stringify({ machine: name, sshHost: 'local', hub: hub.url.origin }),
  )
  writeFileSync(join(machine.home, 'token'), `${token}\n`, { mode: 0o600 })
  return machine
}
