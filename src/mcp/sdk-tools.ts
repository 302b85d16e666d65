import type { McpServer, StandardSchemaWithJSON } from '@modelcontextprotocol/server'
import { type Tool, toolList } from './tool-list.ts'
import { type ToolContext, toolRuns } from './tools.ts'

/** Registers the three tools with a server of the MCP SDK. */
export function registerTools(server: McpServer, context: ToolContext): void {
  const runs = toolRuns(context)
  for (const { name, inputSchema, ...about } of toolList) {
    server.registerTool(name, { ...about, inputSchema: unread(inputSchema) }, (given, { mcpReq }) =>
      runs[name](given, { id: mcpReq.id, toolUseId: mcpReq._meta?.['claudecode/toolUseId'], signal: mcpReq.signal }),
    )
  }
}

/** Returns a schema that the SDK publishes as it is and that accepts everything: the tools read their arguments themselves. */
function unread(schema: Tool['inputSchema']): StandardSchemaWithJSON<object, object> {
  const jsonSchema = () => schema as unknown as Record<string, unknown>
  return {
    '~standard': {
      version: 1,
      vendor: 'claude-net',
      validate: value => ({ value: value as object }),
      jsonSchema: { input: jsonSchema, output: jsonSchema },
    },
  }
}
