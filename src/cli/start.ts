// Claude Code runs a hook at every step of every session: it must not wait for the rest of the program to be loaded. Sessions wait
// for their MCP server, and a hub runs for months: neither needs the other commands in its memory, nor what reads a command line.
const [command, ...args] = process.argv.slice(2)
if (command === 'hook' && !args.includes('--help') && !args.includes('-h'))
  await (await import('../notice/hook.ts')).runHook(args)
else if (command === 'mcp' && args.length === 0) await serveSession()
else if (command === 'mcp') await runAlone((await import('./mcp.ts')).mcpCommand())
else if (command === 'drain') await runAlone((await import('./drain.ts')).drainCommand())
else if (command === 'hub') await runAlone((await import('./hub.ts')).hubCommand())
else await import('./main.ts')

async function runAlone(only: import('commander').Command): Promise<void> {
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
