// Replaces the client on a machine that has not joined a hub: an MCP server whose tools explain how to join. It needs only Node, of any
// version that Claude Code runs with.
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const home = process.env.CLAUDE_NET_HOME || join(homedir(), '.claude-net')

const howToJoin = `This machine has not joined a Claude Net hub yet (no client in ${home}), so nothing can be sent or read. \
Tell your user: the admin of the hub makes a member of this machine with "claude-net invite NAME" and gets one line, \
"printf … | curl -fsSL -K - | sh", to be run on this machine within 10 minutes. Do not guess the address of a hub.`

const hasJoined = 'This machine has joined by now: reconnect this MCP server with /mcp, or start a new session.'

const tools = [
  ['claude_net_send', 'Send a message to other machines or people through Claude Net.'],
  ['claude_net_inbox', "Read this machine's Claude Net inbox."],
  ['claude_net_machines', 'List the members of this Claude Net.'],
].map(([name, description]) => ({
  name,
  description: `${description} (This machine has not joined a hub yet: the answer says how.)`,
  inputSchema: { type: 'object' },
}))

/** Functions that return the result of a request, by method. The protocol is the 2025 one; a client that probes for a newer one falls back to it. */
const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    serverInfo: { name: 'claude-net', version: '0' },
    capabilities: { tools: {} },
    instructions: howToJoin,
  }),
  ping: () => ({}),
  'tools/list': () => ({ tools }),
  'tools/call': () => ({
    content: [{ type: 'text', text: existsSync(join(home, 'claude-net.mjs')) ? hasJoined : howToJoin }],
    isError: true,
  }),
}

createInterface({ input: process.stdin }).on('line', line => {
  const { id, method, params } = parse(line)
  if (id === undefined || method === undefined) return // A notification or a response.
  const answer = Object.hasOwn(answers, method)
    ? { result: answers[method](params || {}) }
    : { error: { code: -32601, message: `There is no ${method} here.` } }
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...answer })}\n`)
})

function parse(line) {
  try {
    return JSON.parse(line) || {}
  } catch {
    return {}
  }
}
