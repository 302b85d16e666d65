import { Command } from 'commander'

export function mcpCommand(): Command {
  return new Command('mcp')
    .description('Run the stdio MCP server of a Claude Code session')
    .addHelpText(
      'after',
      '\nStandard input and output carry JSON-RPC messages of the Model Context Protocol, so there is no --json.',
    )
    .action(async () => {
      const { serveMcp } = await import('../mcp/serve.ts')
      await serveMcp()
    })
}
