import { Command } from 'commander'
import { Home } from '../client/home.ts'

export function mcpCommand(): Command {
  return new Command('mcp').description('run the stdio MCP server of one Claude Code session').action(async () => {
    const { serveMcp } = await import('../mcp/serve.ts')
    await serveMcp(new Home())
  })
}
