import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { Connection, expectSuccess } from '../connection.ts'
import { request } from '../load.ts'
import type { Row } from '../row.ts'
import type { Member } from '../store.ts'
import { Stream } from '../stream.ts'

/** How often a session says that it lives, in ms. */
const heartbeatMs = 5000

/** CPU of a hub on which a thousand sessions do nothing: each has a stream open and sends its heartbeats. */
export async function idleCpu(bench: Bench): Promise<Row[]> {
  const count = bench.quick ? 200 : 1000
  const seconds = bench.quick ? 5 : 15
  await using pairing = await bench.startPairing(count)
  const servers = [pairing.hub, pairing.plain]
  bench.say(`opening ${count} sessions on both`)
  const sessions: Session[] = []
  for (const member of pairing.members) {
    for (const { port } of servers) sessions.push(await Session.open(port, member))
  }
  // Streams open once everybody is online, or each would first be told of all who come.
  for (const session of sessions) await session.listen()
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
  const [measured, yardstick] = (await Promise.race([watched, failed])) as [number, number]
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

/** What one Claude Code session keeps open, on one of the servers. */
class Session {
  readonly #port: number
  readonly #member: Member
  readonly #connection: Connection
  readonly #heartbeat: string
  #stream: Stream | undefined
  #timer: NodeJS.Timeout | undefined

  private constructor(port: number, member: Member, connection: Connection) {
    this.#port = port
    this.#member = member
    this.#connection = connection
    const body = { session: member.name, client: 'claude-net/bench' }
    this.#heartbeat = request('POST', '/v1/presence', member.token, body)
  }

  static async open(port: number, member: Member): Promise<Session> {
    const session = new Session(port, member, await Connection.open(port))
    await session.#beat()
    return session
  }

  async listen(): Promise<void> {
    this.#stream = await Stream.open(this.#port, this.#member)
  }

  /** Beats every 5 s, `offsetMs` from now on, until closed. Rejects when a heartbeat fails; never resolves. */
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
