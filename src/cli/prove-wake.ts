import { setTimeout as delay } from 'node:timers/promises'
import type { Home } from '../client/home.ts'
import { openMachine } from '../client/machine.ts'
import { isReachable, liveSessions, type Rung } from '../notice/live-sessions.ts'
import { api } from '../protocol/api.ts'
import type { Receipt } from '../protocol/messages.ts'
import { count } from '../text/spans.ts'
import type { Check } from './check.ts'

/** Time that sessions have to read the test message, in ms: three rungs of 30 s, and some time to think. */
const patienceMs = 120_000

const lookMs = 500

const rungsInWords: Record<Rung, string> = {
  socket: 'by its inbox socket',
  rewake: 'by the hook that waits (asyncRewake)',
  channel: 'over a channel',
  hooks: 'by a hook between two steps',
}

/**
 * Sends this machine a request of its own and waits until one of its running sessions has read it: the whole way, from the hub
 * to the model's call of the tool. Names the session and what woke it. The message is acked in the end, and expires anyway.
 */
export async function proveWake(home: Home, say: (line: string) => void): Promise<Check> {
  const link = 'wake'
  const live = liveSessions(home.dir).filter(isReachable)
  if (live.length === 0) {
    return {
      link,
      state: 'failed',
      found: 'no Claude Code session of this machine runs with Claude Net',
      mend: 'Start claude (or restart it), leave it idle, and run this again.',
    }
  }
  const { client } = openMachine(home)
  try {
    const body = 'A test by claude-net doctor --wake. Nothing to do: ack it and go on.'
    // Addressed by the hub's name for this machine, which may have been renamed.
    const { you } = await client.call(api.listMachines)
    const { id } = await client.call(api.sendMessage, {
      body: { to: you!, body, intent: 'request', expiresInS: (2 * patienceMs) / 1000 },
    })
    say(`Waiting up to ${patienceMs / 1000} s until a running session (${live.length} here) reads a test message.`)
    const sentAt = Date.now()
    while (Date.now() - sentAt < patienceMs) {
      await delay(lookMs)
      const { receipts } = await client.call(api.getMessage, { params: { id } })
      const [receipt] = receipts
      if (!receipt?.fetchedBySession) continue
      const seconds = Math.round((Date.now() - sentAt) / 1000)
      await client.call(api.ackInbox, { body: { ids: [id] } })
      return { link, state: 'ok', found: `${howRead(home, id, receipt)}, after ${seconds} s` }
    }
    await client.call(api.ackInbox, { body: { ids: [id] } })
    return {
      link,
      state: 'failed',
      found: `none of ${count(live.length, 'running session')} read a test message within ${patienceMs / 1000} s`,
      mend: 'Is Claude busy, or asking something? Else restart it. Either way it is notified of messages at its next prompt.',
    }
  } finally {
    client.close()
  }
}

function howRead(home: Home, id: string, { fetchedBySession: session }: Receipt): string {
  const woken = liveSessions(home.dir).find(live => live.session === session)?.woken
  return woken?.id === id
    ? `session ${session} was woken ${rungsInWords[woken.by]} and read it`
    : `session ${session} read it by itself, so nothing had to wake it`
}
