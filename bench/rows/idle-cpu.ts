import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { Connection, expectSuccess } from '../connection.ts'
import type { Dial } from '../dial.ts'
import { request } from '../load.ts'
import type { Row } from '../row.ts'
import type { Member } from '../store.ts'
import { Stream } from '../stream.ts'

/** Interval of a session's heartbeats, in ms. */
const heartbeatMs = 5000

/** Measures the CPU time of a hub with a thousand idle sessions: each has a stream open and sends heartbeats. */
export async function idleCpu(bench: Bench): Promise<Row[]> {
  const count = bench.quick ? 200 : 1000
  const seconds = bench.quick ? 5 : 15
  await using pairing = await bench.startPairing(count)
  const servers = [pairing.hub, pairing.plain]
  bench.say(`opening ${count} sessions on both`)
  const sessions = await openSessions(servers.flatMap(({ port }) => pairing.members.map(member => ({ port, member }))))
  const [measured, yardstick] = (await watchCpu(bench, servers, sessions, seconds)) as [number, number]
  for (const session of sessions) session.close()
  return [
    {
      what: `CPU with ${count.toLocaleString('en-US')} idle sessions, heartbeats included`,
      budget: { of: 'measured', atMost: 5 },
      unit: '% of a core',
      figures: { measured, yardstick, ratio: measured / yardstick },
    },
  ]
}

/** Opens a session for each member of `all`, one after the other. */
export async function openSessions(all: { port: number; member: Member; dial?: Dial }[]): Promise<Session[]> {
  const sessions: Session[] = []
  for (const { port, member, dial } of all) sessions.push(await Session.open(port, member, dial))
  // Streams are opened once all are online: otherwise each would first receive the presence of all later sessions.
  for (const session of sessions) await session.listen()
  return sessions
}

/** Returns the share of a core that each of `servers` uses while `sessions` are idle, in %. */
export async function watchCpu(
  bench: Bench,
  servers: readonly { readonly cpuSeconds: number }[],
  sessions: readonly Session[],
  seconds: number,
): Promise<number[]> {
  const failed = Promise.race(
    sessions.map((session, index) => session.beatFrom((index / sessions.length) * heartbeatMs)),
  )
  const watched = delay(heartbeatMs).then(async () => {
    bench.say(`watching for ${seconds} s`)
    const startedAt = performance.now()
    const before = servers.map(({ cpuSeconds }) => cpuSeconds)
    await delay(seconds * 1000)
    const elapsed = (performance.now() - startedAt) / 1000
    return servers.map(({ cpuSeconds }, index) => ((cpuSeconds - before[index]!) / elapsed) * 100)
  })
  return Promise.race([watched, failed])
}

/** The connections of one Claude Code session to one of the servers. */
export class Session {
  readonly #port: number
  readonly #dial: Dial | undefined
  readonly #member: Member
  readonly #connection: Connection
  readonly #heartbeat: string
  #stream: Stream | undefined
  #timer: NodeJS.Timeout | undefined

  private constructor(port: number, member: Member, connection: Connection, dial: Dial | undefined) {
    this.#port = port
    this.#dial = dial
    this.#member = member
    this.#connection = connection
    const body = { session: member.name, client: 'claude-net/bench' }
    this.#heartbeat = request('POST', '/v1/presence', member.token, body)
  }

  static async open(port: number, member: Member, dial?: Dial): Promise<Session> {
    const session = new Session(port, member, await Connection.open(port, dial), dial)
    await session.#beat()
    return session
  }

  async listen(): Promise<void> {
    this.#stream = await Stream.open(this.#port, this.#member, this.#dial)
  }

  /** Sends a heartbeat every 5 s, first after `offsetMs`, until closed. Rejects if one fails; never resolves. */
  beatFrom(offsetMs: number): Promise<never> {
    return new Promise((_, reject) => {
      const beat = () => this.#beat().catch(reject)
      this.#timer = setTimeout(() => {
        void beat()
        this.#timer = setInterval(beat, heartbeatMs)
      }, offsetMs)
    })
  }

  close(): void {
    clearInterval(this.#timer)
    this.#connection.close()
    this.#stream?.close()
  }

  async #beat(): Promise<void> {
    expectSuccess(await this.#connection.ask(this.#heartbeat))
  }
}
