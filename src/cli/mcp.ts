import { Command } from 'commander'

export function mcpCommand(): Command {
  return new Command('mcp').description('run the stdio MCP server of one Claude Code session').action(async () => {
    const { serveMcp } = await import('../mcp/serve.ts')
    await serveMcp()
  })
}
