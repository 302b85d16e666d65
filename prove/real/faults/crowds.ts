import { setMaxListeners } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { HubClient } from '../../../src/client/hub-client.ts'
import { DirectTransport } from '../../../src/client/transport/direct.ts'
import { api } from '../../../src/protocol/api.ts'
import { newMessageId } from '../../../src/protocol/ids.ts'
import { pick } from '../../sim/random.ts'
import type { Broken, Fault, Round, RoundResult } from '../fault.ts'
import type { HubProcess } from '../hub-process.ts'
import { Load } from '../load.ts'
import { ended, forAWhile, oneHub, storm } from '../storm.ts'

/** Time in which all streams must have received everything, in ms: the machine may be busy. */
const crowdLimitMs = 120_000

/** Maximum memory of a hub, in MB, also with 10,000 streams. */
const maxMemoryMB = 512

export const slowClients: Fault = {
  name: 'slow-clients',
  title: 'clients that send a request byte by byte, never read their stream, or say nothing, beside the usual ones',
  needs: [],
  isQuick: true,
  async run(round) {
    const cluster = await oneHub(round)
    const load = new Load({ cluster, seed: round.seed })
    await load.join()
    const { token } = load.credentials[0]!
    const sockets = new Set<Socket>()
    round.defer(() => sockets.forEach(socket => void socket.destroy()))
    return await storm(
      round,
      cluster,
      () =>
        forAWhile(round, async () => {
          round.strike()
          sockets.add(slow(cluster.hub, token, pick(round.random, ['bytes', 'deaf', 'silent'])))
          await delay(round.random() * 30)
        }).then(() => checkMemory(cluster.hub, load)),
      { load },
    )
  },
}

/** Opens one slow client. The hub may treat it in any way, as long as the others are not affected. */
function slow(hub: HubProcess, token: string, how: 'bytes' | 'deaf' | 'silent'): Socket {
  const socket = connect(hub.port, '127.0.0.1')
  socket.on('error', () => {})
  const head = `Host: localhost\r\nAuthorization: Bearer ${token}\r\n`
  if (how === 'deaf') {
    socket.pause()
    socket.write(`GET /v1/events HTTP/1.1\r\n${head}\r\n`)
  } else if (how === 'bytes') {
    const text = `POST /v1/messages HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n`
    let at = 0
    const timer = setInterval(() => socket.write(text[at++ % text.length]!), 100)
    socket.on('close', () => clearInterval(timer))
  }
  return socket
}

export const restartStreams: Fault = {
  name: 'restart-streams',
  title: 'the hub is killed and restarted under 1,000 streams: each must receive everything once, in order',
  needs: [],
  run: round => crowd(round, { streams: 1000, kills: true }),
}

export const manyConnections: Fault = {
  name: 'many-connections',
  title: '10,000 connections with a stream each: other clients are served, and each stream must receive everything',
  needs: [],
  run: round => crowd(round, { streams: 10_000, kills: false }),
}

/** Opens streams of one inbox that nobody else writes to, besides the usual load. */
async function crowd(round: Round, { streams, kills }: { streams: number; kills: boolean }): Promise<RoundResult> {
  const cluster = await oneHub(round)
  const { hub } = cluster
  const [from, to] = [await cluster.join('crier'), await cluster.join('crowd')]
  const sender = new HubClient({ transport: new DirectTransport(hub.url), token: from.token, timeoutMs: 30_000 })
  const over = new AbortController()
  const all = Array.from({ length: streams }, () => new Listener())
  round.defer(() => {
    over.abort()
    sender.close()
  })
  const load = new Load({ cluster, seed: round.seed, timeoutMs: 20_000, paceMs: 200, broadcasts: false })
  round.defer(() => load.close())
  round.defer(() => load.history.save(join(round.dir, 'history.jsonl')))
  await load.join()
  const sent: number[] = []
  const send = async () => {
    const body = { id: newMessageId(), to: to.name, body: `cry ${sent.length}` }
    for (let tries = 1; ; tries++) {
      try {
        sent.push((await sender.call(api.sendMessage, { body })).seq)
        return
      } catch (error) {
        // A hub that was just started, or serves thousands of streams, may be slow.
        if (tries === 10) throw error
      }
    }
  }
  const opened = await openAll(all, hub.url, to.token, over.signal)
  await load.start()
  await send()
  if (!kills) round.strike()
  for (let kill = 0; kills && (kill === 0 || kill < round.harmMs / 2000); kill++) {
    await send()
    round.strike()
    await hub.kill()
    await hub.start()
    await send()
    await waitForAll('received everything', all, ({ isOpen, seqs }) => isOpen && seqs.length >= sent.length)
  }
  await load.answered(10)
  await send()
  // Streams that have not received everything are reported below, as `wrong`.
  await missing(all, ({ seqs }) => seqs.length >= sent.length)
  checkMemory(hub, load)
  const wrong = all.filter(({ seqs }) => seqs.join() !== sent.join())
  over.abort()
  await Promise.all(opened)
  const result = await ended(round, load, cluster)
  const violations: Broken[] = wrong.slice(0, 5).map(({ seqs }) => ({
    kind: seqs.length > sent.length ? 'told twice' : 'untold',
    text: `a stream showed [${seqs.join(' ')}] where [${sent.join(' ')}] were sent`,
  }))
  return {
    ...result,
    acknowledged: result.acknowledged + sent.length,
    violations: [...violations, ...result.violations],
  }
}

/** A stream that reopens with its cursor whenever its connection breaks. Parsed by hand: thousands of clients would cost too much. */
class Listener {
  readonly seqs: number[] = []
  isOpen = false

  async listen(url: URL, token: string, signal: AbortSignal): Promise<void> {
    let cursor: string | undefined
    while (!signal.aborted) {
      const socket = connect(Number(url.port), url.hostname)
      const stop = () => socket.destroy()
      signal.addEventListener('abort', stop)
      const resumed = cursor === undefined ? '' : `Last-Event-ID: ${cursor}\r\n`
      socket.write(`GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n${resumed}\r\n`)
      let text = ''
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
        this.isOpen ||= text.startsWith('HTTP/1.1 200')
        const blocks = text.split('\n\n')
        text = blocks.pop()!
        for (const block of blocks) {
          cursor = /^id: (.*)$/m.exec(block)?.[1] ?? cursor
          if (block.includes('event: inbox')) this.seqs.push(Number(/"seq":(\d+)/.exec(block)![1]))
        }
      })
      await new Promise<void>(resolve => socket.on('error', () => {}).on('close', () => resolve()))
      signal.removeEventListener('abort', stop)
      this.isOpen = false
      await delay(50 + Math.random() * 500, undefined, { signal }).catch(() => {})
    }
  }
}

/** Opens the streams, a few hundred at a time. Returns a function for each that closes it. */
async function openAll(
  all: readonly Listener[],
  url: URL,
  token: string,
  signal: AbortSignal,
): Promise<Promise<void>[]> {
  setMaxListeners(0, signal)
  const opened: Promise<void>[] = []
  for (let at = 0; at < all.length; at += 200) {
    const some = all.slice(at, at + 200)
    opened.push(...some.map(listener => listener.listen(url, token, signal)))
    await waitForAll('opened', some, ({ isOpen }) => isOpen)
  }
  return opened
}

/** Resolves once `claim` holds for each listener. Throws after `crowdLimitMs`. */
async function waitForAll(what: string, all: readonly Listener[], claim: (one: Listener) => boolean): Promise<void> {
  const count = await missing(all, claim)
  if (count > 0) throw new Error(`${count} streams had not ${what} after ${crowdLimitMs} ms`)
}

/** Waits until `claim` holds for each listener, or for `crowdLimitMs`. Returns the number for which it does not hold. */
async function missing(all: readonly Listener[], claim: (one: Listener) => boolean): Promise<number> {
  for (const began = performance.now(); ; await delay(50)) {
    const count = all.filter(each => !claim(each)).length
    if (count === 0 || performance.now() - began > crowdLimitMs) return count
  }
}

/** Records a violation if a hub uses too much memory. */
function checkMemory(hub: HubProcess, load: Load): void {
  const status = readFileSync(`/proc/${hub.pid}/status`, 'utf8')
  const megabytes = (Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024) / 1e6
  if (megabytes > maxMemoryMB)
    load.violations.push({ kind: 'broken', text: `the hub uses ${Math.round(megabytes)} MB of memory` })
}
