import type { IncomingMessage } from 'node:http'
import { toWebRequest } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { messageIdFor, newMessageId } from '../protocol/ids.ts'
import { version } from '../protocol/version.ts'
import { instructions } from './instructions.ts'
import type { Line } from './line.ts'
import { registerTools } from './sdk-tools.ts'

/** Shortest id of a tool call that counts as unique among all calls, in characters. Shorter ones may be counters. */
const minUniqueLength = 20

/** Functions that create the server for a request. */
const servers = new WeakMap<Request, () => McpServer>()

let made: ReturnType<typeof createMcpHandler> | undefined

/** Returns the handler, one for the process: the SDK writes a line to stderr for each that is created. */
function handler(): ReturnType<typeof createMcpHandler> {
  made ??= createMcpHandler(({ requestInfo }) => servers.get(requestInfo!)!(), {
    responseMode: 'json',
    maxSubscriptions: 0,
  })
  return made
}

/** One `POST /mcp`. */
export interface McpExchange {
  request: IncomingMessage
  /** The parsed body. */
  body: unknown
  /** The caller's line to its hub. */
  line: Line
  /** A secret that is unique to the caller: message ids are derived from it. */
  seed: string
  /** Aborted when the caller no longer waits for the response. */
  signal: AbortSignal
  /** Texts at the beginning of the first tool result. */
  remarks: string[]
}

export interface McpAnswer {
  status: number
  headers: Headers
  text: string
  /** Ids of the messages that the response shows, and of those that it acks. */
  shown: string[]
  toAck: string[]
}

/**
 * Responds to one request of Streamable HTTP, in the 2026-07-28 revision or those from 2025, with the same tools as a session's own server.
 * No state is kept between requests, and no stream stays open: there is nothing to push.
 */
export async function answerMcp({ request, body, line, seed, signal, remarks }: McpExchange): Promise<McpAnswer> {
  const shown: string[] = []
  const toAck: string[] = []
  const build = () => {
    const server = new McpServer(
      { name: 'claude-net', version },
      { instructions, capabilities: { tools: { listChanged: false } } },
    )
    registerTools(server, {
      line: () => line,
      readState: {
        settled: async () => {},
        answerShows: (_request, ids, ack) => {
          shown.push(...ids)
          if (ack) toAck.push(...ids)
        },
      },
      messageIdOf: call =>
        typeof call === 'string' && call.length >= minUniqueLength ? messageIdFor(`${seed}/${call}`) : newMessageId(),
      onAsked: () => {},
      takeRemarks: () => remarks.splice(0),
    })
    return server
  }
  const asked = await toWebRequest(request, body, { signal })
  servers.set(asked, build)
  const response = await handler().fetch(asked, { parsedBody: body })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, shown, toAck }
}
