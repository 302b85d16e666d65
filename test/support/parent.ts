import { api } from '../../src/protocol/api.ts'
import type { TestHub } from './hub.ts'
import type { McpSession, TestMachine } from './machine.ts'
import { machineNode } from './program.ts'
import { until } from './until.ts'

/** A session whose server is the child of a process that can be killed while this one still holds the server's stdin open. */
export interface SessionBelowParent extends McpSession {
  parentPid: number
}

/** Starts an MCP server below a shell of its own and connects to it. `pid` is the server's, as the hub received it. */
export async function mcpBelowParent(hub: TestHub, machine: TestMachine): Promise<SessionBelowParent> {
  // `exit` keeps the shell from replacing itself by the program.
  const session = await machine.mcp({}, ['sh', '-c', '"$0" "$@"; exit $?', machineNode])
  const admin = hub.client(hub.adminToken)
  const named = await until('the first heartbeat', async () => {
    const { members } = await admin.call(api.listMachines)
    return members.find(({ name }) => name === machine.name)?.sessions[0]?.session
  })
  return { ...session, parentPid: session.pid, pid: Number(named.split('-').at(-1)) }
}
