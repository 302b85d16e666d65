import type { Command } from 'commander'

/** Commands that run most often: each is loaded without the others, to save memory and time. */
const alone: Record<string, () => Promise<Command>> = {
  send: async () => (await import('./send.ts')).sendCommand(),
  inbox: async () => (await import('./inbox.ts')).inboxCommand(),
  machines: async () => (await import('./machines.ts')).machinesCommand(),
  history: async () => (await import('./history.ts')).historyCommand(),
  watch: async () => (await import('./watch.ts')).watchCommand(),
  policy: async () => (await import('./policy.ts')).policyCommand(),
  mcp: async () => (await import('./mcp.ts')).mcpCommand(),
  drain: async () => (await import('./drain.ts')).drainCommand(),
  hub: async () => (await import('./hub.ts')).hubCommand(),
}

/** Carries out the command line of this process. */
export async function runCommandLine(platform = process.platform): Promise<void> {
  if (platform === 'win32') return refuseWindows()
  const [command = '', ...args] = process.argv.slice(2)
  // Claude Code runs a hook at every step of every session, and each session waits for its MCP server: neither loads the parser of the
  // command line, or the rest of the program.
  if (command === 'hook' && !args.includes('--help') && !args.includes('-h'))
    await (await import('../notice/hook.ts')).runHook(args)
  else if (command === 'mcp' && args.length === 0) await serveSession()
  else if (Object.hasOwn(alone, command)) await runAlone(await alone[command]!())
  else await (await import('./main.ts')).runAny()
}

/** Nothing of the program runs on Windows: its files have owners and modes, its processes talk by unix sockets. */
async function refuseWindows(): Promise<void> {
  const [{ ClaudeNetError }, { fail }] = await Promise.all([import('../protocol/errors.ts'), import('./output.ts')])
  const why = 'Claude Net does not run on Windows itself: run this inside WSL, where it runs as on Linux.'
  const error = new ClaudeNetError('invalid', why, 'wsl --install sets WSL up; then type wsl, and run this again.')
  process.exitCode = fail(error, process.argv.includes('--json'))
}

async function runAlone(only: Command): Promise<void> {
  const { newProgram, run } = await import('./program.ts')
  await run(newProgram().addCommand(only))
}

/** `claude-net mcp`, as Claude Code starts it. */
async function serveSession(): Promise<void> {
  try {
    const { serveMcp } = await import('../mcp/serve.ts')
    await serveMcp()
  } catch (error) {
    const { fail } = await import('./output.ts')
    process.exitCode = fail(error, false)
  }
}
