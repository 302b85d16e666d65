import { writeFileSync } from 'node:fs'
import { isOwned, type SessionFile } from './live-sessions.ts'
import type { Remark } from './news.ts'
import type { SessionDir } from './session-dir.ts'

/**
 * Returns the remark that this session's MCP server has crashed, once for each server: nothing else reports it, and without the server
 * messages are not noticed. A server that ends in order removes the session's directory, and causes no remark.
 */
export function serverRemark(dir: SessionDir, instance: string | undefined): Remark[] {
  const pid = deadServer(dir, instance)
  if (pid === undefined) return []
  try {
    writeFileSync(dir.file(`died-${pid}`), '', { flag: 'wx', mode: 0o600 })
  } catch {
    return [] // The crash was announced already.
  }
  const text =
    "This session's MCP server of claude-net has died: its tools fail, and new messages are not noticed here. Tell your user to reconnect it: /mcp, claude-net, Reconnect."
  return [{ kind: 'remark', id: 'server', seq: 0, text }]
}

/** Returns the process id of this session's MCP server if it ended without removing its directory. */
export function deadServer(dir: SessionDir, instance: string | undefined): number | undefined {
  const file = dir.read<SessionFile>('session.json')
  return file && file.instance === instance && !isOwned(dir, file) ? file.pid : undefined
}
