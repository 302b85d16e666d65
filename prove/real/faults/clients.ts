import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { HubClient } from '../../../src/client/hub-client.ts'
import { DirectTransport } from '../../../src/client/transport/direct.ts'
import { api } from '../../../src/protocol/api.ts'
import { newMessageId } from '../../../src/protocol/ids.ts'
import type { Acts, History } from '../../checker/history.ts'
import { between, pick, type Random } from '../../sim/random.ts'
import { type OneHub, readAll } from '../cluster.ts'
import type { Broken, Fault } from '../fault.ts'
import { Load } from '../load.ts'
import { Machine } from '../machine.ts'
import { ended, forAWhile, oneHub } from '../storm.ts'

export const killClients: Fault = {
  name: 'kill-clients',
  title:
    'kill -9 of the client program while it sends or keeps, with the hub online or offline; its outbox must continue',
  needs: [],
  isQuick: true,
  async run(round) {
    const cluster = await oneHub(round)
    const load = new Load({ cluster, seed: round.seed, members: 3 })
    round.defer(() => load.history.save(join(round.dir, 'history.jsonl')))
    await load.join()
    const names = load.credentials.map(({ name }) => name)
    const senders = load.credentials.map(
      each =>
        new Sender(new Machine(join(round.dir, 'homes'), each, cluster.hub.url), names, load.history, round.random),
    )
    const sendSome = () =>
      Promise.all(
        senders.map(async sender => {
          for (let n = 0; n < 2; n++) {
            const isKilled = round.random() < 0.6
            if (isKilled) round.strike()
            await sender.send(isKilled ? round.random() * round.random() * 2500 : undefined)
          }
        }),
      )
    await forAWhile(round, async () => {
      await cluster.hub.kill()
      await sendSome()
      // Later sends must not overtake those in the outbox.
      await cluster.hub.start()
      await sendSome()
    })
    await Promise.all(senders.map(sender => sender.drain()))
    const result = await ended(round, load, cluster)
    const kept = load.history.lines.filter(({ type }) => type === 'kept').length
    return { ...result, acknowledged: load.history.count('send', 'ok') + kept, worstMs: undefined }
  },
}

/** Sends by commands of one machine, one after the other, and records the outcome of each. */
class Sender {
  readonly #machine: Machine
  readonly #names: string[]
  readonly #history: History
  readonly #random: Random
  /** Operations in the outbox without a response yet, by message id. */
  readonly #waiting = new Map<string, number>()

  constructor(machine: Machine, names: string[], history: History, random: Random) {
    this.#machine = machine
    this.#names = names
    this.#history = history
    this.#random = random
  }

  async send(killAfterMs?: number): Promise<void> {
    const { name } = this.#machine
    const id = newMessageId()
    const others = this.#names.filter(each => each !== name)
    const isForAll = this.#random() < 0.2
    const to = isForAll ? others : [pick(this.#random, others)]
    const body = `${name} writes ${id}`
    const act: Acts['send'] = { kind: 'send', id, from: name, to, body, lane: `the outbox of ${name}` }
    const op = this.#history.begin(act)
    const args = ['send', '--json', '--id', id, isForAll ? 'all' : to[0]!, body]
    const { code, stdout } = await this.#machine.run(args, killAfterMs)
    this.#waiting.set(id, op)
    if (code === 0) this.#decided(id, JSON.parse(stdout) as { seq?: number; answer?: { seq: number } })
    // Messages in the outbox must be delivered, also after a kill.
    else if (this.#machine.kept().includes(id)) this.#history.recordKept(op)
    else if (code !== null && code !== 75)
      this.#history.end(op, { type: 'unknown', why: `status ${code}: ${stdout.slice(0, 200)}` })
  }

  /** Runs commands until the outbox is empty. Throws if that does not happen. */
  async drain(): Promise<void> {
    for (let tries = 0; this.#machine.kept().length > 0; tries++) {
      if (tries === 20)
        throw new Error(`The outbox of ${this.#machine.name} still holds ${this.#machine.kept().join(', ')}`)
      await this.#machine.run(['inbox', '--json'])
    }
  }

  #decided(id: string, answer: { seq?: number; answer?: { seq: number } }): void {
    const seq = answer.seq ?? answer.answer?.seq
    const op = this.#waiting.get(id)!
    if (seq !== undefined) this.#history.end(op, { type: 'ok', result: { seq } })
  }
}

export const killedBeforeShown: Fault = {
  name: 'killed-before-shown',
  title:
    "kill -9 of a session's server between fetching mail and showing it: it is shown again, and no receipt says more than was shown",
  needs: [],
  async run(round) {
    const cluster = await oneHub(round)
    const load = new Load({ cluster, seed: round.seed, members: 2 })
    await load.join()
    const [ana, ben] = load.credentials as [(typeof load.credentials)[0], (typeof load.credentials)[0]]
    const machine = new Machine(join(round.dir, 'homes'), ben, cluster.hub.url)
    const client = new HubClient({ transport: new DirectTransport(cluster.hub.url), token: ana.token })
    round.defer(() => client.close())
    const violations: Broken[] = []
    let acknowledged = 0
    await forAWhile(round, async () => {
      const body = `the text ${newMessageId()}`
      const { id } = await client.call(api.sendMessage, { body: { to: ben.name, body } })
      acknowledged++
      round.strike()
      const shown = await showAndKill(machine, between(round.random, 0, 60), round.random)
      const { unread } = await readAll(cluster.hub.url, ben)
      const { receipts } = await client.call(api.getMessage, { params: { id } })
      const { status } = receipts[0]!
      if (!shown.includes(body) && status !== 'stored')
        violations.push({ kind: 'receipt', text: `${id} was not shown, and its receipt says ${status}` })
      if (!shown.includes(body) && !unread.includes(id))
        violations.push({ kind: 'lost', text: `${id} was not shown, and is not unread any more` })
      const again = await showAndKill(machine, undefined, round.random)
      if (unread.includes(id) && !again.includes(body))
        violations.push({ kind: 'lost', text: `${id} is unread, and the next session was not shown it` })
      await readAndAck(cluster, ben.token)
    })
    return { acknowledged, violations }
  },
}

/**
 * Starts a session's MCP server and reads the inbox with acks. Kills it `killAfterMs` after the request, or once it has responded. Returns
 * the complete lines that it wrote.
 */
async function showAndKill(machine: Machine, killAfterMs: number | undefined, random: Random): Promise<string> {
  const child = machine.start('mcp')
  child.stderr.resume()
  child.stdin.on('error', () => {})
  const lines: string[] = []
  const answers = new Map<number, () => void>()
  const reader = createInterface(child.stdout)
  reader.on('line', line => {
    lines.push(line)
    answers.get((JSON.parse(line) as { id: number }).id)?.()
  })
  const closed = new Promise<void>(resolve => reader.on('close', resolve))
  const ask = (id: number, method: string, params: object) => {
    const answered = new Promise<void>(resolve => answers.set(id, resolve))
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
    return Promise.race([answered, closed])
  }
  const clientInfo = { name: 'claude-code', version: '2.1.330' }
  await ask(1, 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo })
  child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`)
  // Within this time, some servers have loaded the inbox already, since they follow it.
  await delay(random() * 200)
  const asked = ask(2, 'tools/call', { name: 'claude_net_inbox', arguments: { ack: true } })
  await (killAfterMs === undefined ? asked : delay(killAfterMs))
  child.kill('SIGKILL')
  await closed
  return lines.join('\n')
}

async function readAndAck(cluster: OneHub, token: string): Promise<void> {
  const client = new HubClient({ transport: new DirectTransport(cluster.hub.url), token })
  const { messages } = await client.call(api.readInbox)
  if (messages.length > 0) await client.call(api.ackInbox, { body: { ids: messages.map(({ id }) => id) } })
  client.close()
}
