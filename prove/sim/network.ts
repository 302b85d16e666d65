import type { Followed } from '../../src/hub/push/follow.ts'
import { ClaudeNetError } from '../../src/protocol/errors.ts'
import type { Request } from './door.ts'
import type { Faults } from './faults.ts'
import { type HubNode, unavailable } from './hub-node.ts'
import type { SimProcess, World } from './world.ts'

/** Time for which a client waits for a response, in ms. */
const patienceMs = 2500

/** Silence after which a client considers its stream broken, in ms. */
const silenceMs = 8000

/** Interval of keepalive comments on a stream, in ms. */
const commentMs = 2000

/** The network between clients and hubs, which delays and loses requests and cuts connections. */
export class Network {
  readonly #world: World
  readonly #faults: Faults
  readonly #onBroken: (what: string) => void

  constructor(world: World, faults: Faults, onBroken: (what: string) => void) {
    this.#world = world
    this.#faults = faults
    this.#onBroken = onBroken
  }

  /** Sends a request to `node`. Rejects with its refusal, or with `unavailable` if no response arrives. */
  call(client: string, node: HubNode, request: Request): Promise<{ answer: object; at: number }> {
    const [world, faults] = [this.#world, this.#faults]
    const caller = world.process
    return new Promise((resolve, reject) => {
      const forget = world.schedule(`${request.kind} unanswered`, patienceMs, () => reject(unavailable()))
      const back = (label: string, end: () => void) => {
        if (faults.isCut(client, node.name)) return
        world.scheduleOutside(label, faults.delay('network'), () => {
          forget()
          // A killed caller receives nothing.
          if (caller?.isAlive !== false) end()
        })
      }
      if (faults.strikes('request lost') || faults.isCut(client, node.name)) return
      world.scheduleOutside(`${request.kind} of ${client} to ${node.name}`, faults.delay('network'), () => {
        const { process } = node
        if (node.isUp && process)
          world.as(process, () => world.schedule(`${request.kind} of ${client}`, 0, () => serve(process)))
        else back('nobody listens', () => reject(unavailable()))
      })
      const serve = (process: SimProcess) => {
        node.answer(request).then(
          value => {
            if (!process.isAlive || faults.strikes('answer lost')) return
            world.note(JSON.stringify(value))
            back(`answer to ${request.kind} of ${client}`, () => resolve(value))
          },
          error => {
            if (!process.isAlive) return
            if (!(error instanceof ClaudeNetError)) this.#onBroken(`${request.kind} threw ${(error as Error).stack}`)
            else back(`refusal of ${request.kind}`, () => reject(error))
          },
        )
      }
    })
  }

  /**
   * Opens a stream, and resolves when it has ended. `tell` is called for each event, in order. If `opened` is given, it is called before the
   * first event, and messages are sent with their events.
   */
  follow(
    client: string,
    node: HubNode,
    cursor: string | undefined,
    on: {
      tell: (event: Followed) => void
      ready: (cursor: string) => void
      opened?: () => void
      scope?: string | undefined
    },
    signal: AbortSignal,
  ): Promise<void> {
    const [world, faults] = [this.#world, this.#faults]
    const caller = world.process
    return new Promise(resolve => {
      let [isOpen, isBroken, lastAt, heardAt] = [true, false, 0, world.now]
      let close = () => {}
      const end = () => {
        if (!isOpen) return
        isOpen = false
        close()
        resolve()
      }
      signal.addEventListener('abort', end, { once: true })
      const watch = () => {
        if (!isOpen) return
        if (world.now - heardAt > silenceMs) end()
        else world.schedule('is the stream alive', 1000, watch)
      }
      watch()
      const carry = (label: string, arrive: () => void) => {
        if (!isOpen || isBroken) return
        const isDropped = faults.strikes('stream dropped')
        // Nothing arrives after a lost event: the stream is silent, or its client sees it break.
        isBroken = isDropped || faults.isCut(client, node.name)
        if (isDropped) world.scheduleOutside('the stream breaks', faults.delay('network'), end)
        if (isBroken) return
        lastAt = Math.max(lastAt, world.here + faults.delay('network'))
        world.scheduleAt(label, lastAt, () => {
          heardAt = world.now
          if (isOpen && caller?.isAlive !== false) arrive()
        })
      }
      if (faults.isCut(client, node.name)) return
      world.scheduleOutside(`a stream of ${client} to ${node.name}`, faults.delay('network'), () => {
        const { process } = node
        if (!node.isUp || !process || !isOpen) return end()
        const comment = () => {
          if (!isOpen || !process.isAlive) return
          carry('comment', () => {})
          world.scheduleOutside('comment', commentMs, comment)
        }
        const { opened } = on
        if (opened) carry(`opened for ${client}`, opened)
        const ends = {
          withDelivery: opened !== undefined,
          scope: on.scope,
          tell: (event: Followed) => carry(`event of ${client}`, () => on.tell(event)),
          ready: (at: string) => carry(`ready of ${client}`, () => on.ready(at)),
          end: () => carry('end of stream', end),
        }
        world
          .as(process, () => node.follow(client, cursor, ends))
          .then(
            closeIt => {
              close = () => world.as(process, closeIt)
              if (isOpen) comment()
              else close()
            },
            () => end(),
          )
      })
    })
  }
}
