import { connect } from 'node:net'

/** Time for Claude Code to accept the lines, in ms. */
const timeoutMs = 2000

/** Opening tag of a message from another session. Claude Code shows it as `Message from @Claude-Net`. */
const envelope = '<cross-session-message from-name="Claude Net">'

/** A session's own inbox socket, as Claude Code passes it to the processes it starts. */
export interface InboxSocket {
  path: string
  token: string | undefined
}

/** Returns the inbox socket of the session that started this process; undefined in versions and places that have none. */
export function inboxSocket(env: NodeJS.ProcessEnv): InboxSocket | undefined {
  const path = env.CLAUDE_CODE_MESSAGING_SOCKET
  return path ? { path, token: env.CLAUDE_CODE_MESSAGING_TOKEN } : undefined
}

/**
 * Writes `text` into a session's inbox: it wakes an idle session, and a busy one sees it between two steps. Returns whether the lines were
 * accepted, which does not mean that the session saw them: it may hold them. The first line is documented
 * (code.claude.com/docs/en/cross-session-messaging), the second is what Claude Code 2.1.330 prints in its debug log. The envelope is Claude
 * Code's own: its user sees one line with the sender, not the text as if it were typed. The caller must escape `<` in `text`, so that
 * nothing in it ends the envelope.
 */
export function writeToInbox({ path, token }: InboxSocket, text: string): Promise<boolean> {
  const lines = [
    // Optional on Unix, except where Claude Code cannot identify our parent: as the first process of a container.
    ...(token ? [{ type: 'auth', token }] : []),
    { type: 'user', message: { role: 'user', content: `${envelope}\n${text}\n</cross-session-message>` } },
  ]
  return new Promise(resolve => {
    const socket = connect(path)
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('timeout')))
    socket.on('error', () => resolve(false))
    socket.on('close', hadError => resolve(!hadError))
    socket.on('connect', () => socket.end(lines.map(line => `${JSON.stringify(line)}\n`).join('')))
    socket.resume()
  })
}
