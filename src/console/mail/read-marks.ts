import { ask, call } from '../api.ts'
import { who } from '../session.ts'

/** Marks messages as read. Throws `HubError`. */
export async function ack(ids: readonly string[]): Promise<void> {
  for (let start = 0; start < ids.length; start += 100) {
    await call('ackInbox', { body: { ids: ids.slice(start, start + 100) } })
  }
}

/** Ids of own messages that were shown and not yet reported. */
const seen = new Set<string>()

/** Records that a human was shown this message, for its receipt. Reported in one request after a moment. */
export function noteSeen(id: string): void {
  if (who.peek()?.role !== 'human' || document.visibilityState !== 'visible') return
  if (seen.size === 0) setTimeout(reportSeen, 400)
  seen.add(id)
}

async function reportSeen(): Promise<void> {
  const ids = [...seen].slice(0, 100)
  seen.clear()
  // A lost report is repeated when the message is next shown.
  await ask('POST', '/v1/inbox/fetched', { body: { ids, session: 'console' } }).catch(() => undefined)
}
