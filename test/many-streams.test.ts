import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { HubClient } from '../src/client/hub-client.ts'
import { DirectTransport } from '../src/client/transport/direct.ts'
import { api } from '../src/protocol/api.ts'
import { ClaudeNetError } from '../src/protocol/errors.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { until } from './support/until.ts'

const readers = 1000
const waitMs = 120_000

/** A reader that follows its inbox for the whole test, and reconnects with its cursor whenever the connection breaks. */
class Reader {
  readonly seqs: number[] = []
  isOpen = false

  constructor(hub: TestHub, token: string, signal: AbortSignal) {
    void this.#listen(new HubClient({ transport: new DirectTransport(hub.url), token, timeoutMs: waitMs }), signal)
  }

  async #listen(client: HubClient, signal: AbortSignal): Promise<void> {
    let cursor: string | undefined
    while (!signal.aborted) {
      try {
        for await (const event of client.events({ cursor, signal, opened: () => (this.isOpen = true) })) {
          if (event.event !== 'inbox') continue
          this.seqs.push(event.data.seq)
          cursor = event.cursor
        }
      } catch (error) {
        if (!(error instanceof ClaudeNetError)) throw error
      }
      this.isOpen = false
      await delay(50 + Math.random() * 200)
    }
    client.close()
  }
}

test('over kills of the hub each of a thousand streams receives every message, once, in order', {
  timeout: 3 * waitMs,
}, async () => {
  const hub = await startHub()
  const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
  const over = new AbortController()
  onTestFinished(() => over.abort())
  const all = Array.from({ length: readers }, () => new Reader(hub, ben.token, over.signal))
  const sent: number[] = []
  const send = async () =>
    sent.push((await ana.client.call(api.sendMessage, { body: { to: 'ben', body: `${sent.length}` } })).seq)
  const waitForAll = (what: string, claim: (reader: Reader) => boolean) => until(what, () => all.every(claim), waitMs)

  await waitForAll('all streams are open', ({ isOpen }) => isOpen)
  await send()
  for (let kill = 0; kill < 3; kill++) {
    await send()
    await hub.stop('SIGKILL')
    await hub.start()
    // Sent while the readers reconnect, and again when all have.
    await send()
    await waitForAll('all streams are open again', ({ isOpen, seqs }) => isOpen && seqs.length >= sent.length)
    await send()
  }
  await waitForAll('every reader has every message', ({ seqs }) => seqs.length >= sent.length)
  for (const { seqs } of all) expect(seqs).toEqual(sent)
})
