import { setTimeout as delay } from 'node:timers/promises'
import type { History } from '../../prove/checker/history.ts'
import { api } from '../../src/protocol/api.ts'
import { newMessageId } from '../../src/protocol/ids.ts'
import type { TestMember } from './hub.ts'
import type { Random } from './random.ts'

/** Delay before an operation with an unknown outcome is repeated, in ms. */
const pauseMs = 10

export interface TrafficOptions {
  history: History
  random: Random
  /** Once it aborts, no new operation is started; one in progress is repeated until it gets a response. */
  signal: AbortSignal
}

/**
 * Sends messages as `member`, one after the other, each to one or several of `inboxes`. Repeats sends with an unknown outcome under the
 * same id until there is a response, so that their order is known.
 */
export async function sendAlong(member: TestMember, inboxes: string[], options: TrafficOptions): Promise<void> {
  const { history, random, signal } = options
  for (let n = 1; !signal.aborted; n++) {
    const first = Math.floor(random() * inboxes.length)
    const to = random() < 0.2 ? inboxes : [inboxes[first]!]
    const body = `${n} of ${member.name} ${'·'.repeat(random() * 1000)}`
    const request = { id: newMessageId(), to, body }
    await untilAnswered(() =>
      history.record(
        { kind: 'send', from: member.name, ...request },
        () => member.client.call(api.sendMessage, { body: request }),
        ({ seq }) => ({ seq }),
      ),
    )
  }
}

/** Reads the inbox of `member` repeatedly, and acks some of the messages, some of them twice. */
export async function readAlong(member: TestMember, { history, random, signal }: TrafficOptions): Promise<void> {
  const { name, client } = member
  while (!signal.aborted) {
    let shown: string[] = []
    await untilAnswered(() =>
      history.record(
        { kind: 'read', inbox: name },
        () => client.call(api.readInbox),
        ({ messages, more }) => {
          shown = messages.map(({ id }) => id)
          return {
            messages: messages.map(({ id, seq, from, body }) => ({ id, seq, from, body })),
            complete: more === 0,
          }
        },
      ),
    )
    const ids = shown.filter(() => random() < 0.7)
    if (ids.length === 0) {
      await delay(1)
      continue
    }
    if (random() < 0.3) await client.call(api.markFetched, { body: { ids, session: 'reader' } }).catch(() => {})
    const times = random() < 0.1 ? 2 : 1
    for (let time = 0; time < times; time++) {
      await untilAnswered(() =>
        history.record(
          { kind: 'ack', inbox: name, ids },
          () => client.call(api.ackInbox, { body: { ids } }),
          ({ acked, unknown }) => ({ acked, unknown }),
        ),
      )
    }
  }
}

async function untilAnswered(operation: () => Promise<'ok' | 'fail' | 'unknown'>): Promise<void> {
  while ((await operation()) === 'unknown') await delay(pauseMs)
}
