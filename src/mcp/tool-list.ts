import { descriptions } from './instructions.ts'

/** An argument of a tool. Its JSON schema has one type: given several, clients "repair" valid values into wrong ones. */
interface Argument {
  type: 'string' | 'integer'
  minimum?: number
  enum?: readonly string[]
  description: string
}

/** A tool as listed by `tools/list`. */
export interface Tool {
  name: ToolName
  title: string
  description: string
  inputSchema: {
    $schema?: string
    type: 'object'
    properties: Record<string, Argument>
    required?: readonly string[]
    additionalProperties?: false
  }
  annotations: Record<string, boolean>
  _meta: Record<string, unknown>
}

export type ToolName = 'claude_net_send' | 'claude_net_inbox' | 'claude_net_machines'

const $schema = 'https://json-schema.org/draft/2020-12/schema'

/** Loads the tool at once instead of behind a tool search: an agent that must search for its inbox does not read it. */
const alwaysLoad = { 'anthropic/alwaysLoad': true }

/**
 * The three tools, as literals: a session's server responds to `tools/list` with them before anything else is loaded. arguments.ts parses
 * the arguments.
 */
export const toolList: readonly Tool[] = [
  {
    name: 'claude_net_send',
    title: 'Send a message',
    description: descriptions.send,
    inputSchema: {
      $schema,
      type: 'object',
      properties: {
        to: {
          type: 'string',
          description: 'A member, alias or group, or member/project; several separated by commas; or "all"',
        },
        message: { type: 'string', description: 'The text' },
        reply_to: { type: 'string', description: 'Id of the message this answers; acks it' },
        intent: {
          type: 'string',
          enum: ['request', 'inform', 'urgent'],
          description:
            'request: wants an answer (default to one). inform: wants none (default of a reply, and to all). urgent: should be seen now',
        },
        at: { type: 'string', description: 'Deliver it then: in 10m, tomorrow 9:00 (your zone) or RFC 3339' },
        expires: { type: 'string', description: 'Unread by then it expires, and you are told; as at' },
        within: { type: 'string', description: 'Ask several: wake me when all answered, or after this; default 10m' },
      },
      required: ['to', 'message'],
      additionalProperties: false,
    },
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    _meta: alwaysLoad,
  },
  {
    name: 'claude_net_inbox',
    title: 'Read the inbox',
    description: descriptions.inbox,
    inputSchema: {
      $schema,
      type: 'object',
      properties: {
        limit: { type: 'integer', minimum: 1, description: 'Show at most this many; default 20' },
        ack: {
          type: 'string',
          description:
            '"true": mark what this answer shows as read. Ids, separated by commas: mark those, show nothing',
        },
      },
      additionalProperties: false,
    },
    // An ack marks this machine's own messages as read, and changes nothing else: plan mode does not ask before a read-only tool.
    annotations: { readOnlyHint: true, openWorldHint: true },
    _meta: alwaysLoad,
  },
  {
    name: 'claude_net_machines',
    title: 'List machines and people',
    description: descriptions.machines,
    inputSchema: {
      $schema,
      type: 'object',
      properties: {
        status: { type: 'string', description: 'What this session works on, in one line for others; "-": none' },
      },
      additionalProperties: false,
    },
    annotations: { readOnlyHint: true, openWorldHint: true },
    _meta: alwaysLoad,
  },
]
