import type { HubClient } from '../../src/client/hub-client.ts'
import type { Followed } from '../../src/hub/push/follow.ts'
import type { StreamEvent } from '../../src/protocol/events.ts'
import { inboxRoutes } from '../../src/protocol/routes/inbox.ts'
import { unavailable } from './hub-node.ts'
import type { SimProcess } from './world.ts'

/** Requests of a keeper to a hub, over the simulated network. Each rejects when no hub responds. */
export interface KeeperLine {
  unread(after: string | undefined): Promise<object>
  reportTold(report: { ids: string[]; session: string; how: string }): Promise<object>
  /** Opens a stream, and resolves when it has ended. */
  follow(
    cursor: string | undefined,
    on: { opened(): void; tell(event: Followed): void; ready(cursor: string): void; scope: string | undefined },
    signal: AbortSignal,
  ): Promise<void>
}

/** Returns the part of the hub's client that a keeper in `server` uses. `killed` aborts when that process is killed. */
export function keeperClient(line: KeeperLine, server: SimProcess, killed: AbortSignal): HubClient {
  const client = {
    now: () => Date.now(),
    transport: { opened: async () => {} },
    call: async (route: object, { query, body }: { query?: { after?: string }; body?: object } = {}) => {
      if (route === inboxRoutes.readInbox) return await line.unread(query?.after)
      if (route === inboxRoutes.markTold) return await line.reportTold(body as never)
      throw new Error('the simulation has no such route')
    },
    events: (options: Parameters<HubClient['events']>[0]) =>
      oneStream(line, server, { ...options, signal: AbortSignal.any([options.signal, killed]) }),
  }
  return client as unknown as HubClient
}

/** Yields the events of one stream, in order, until it breaks. */
async function* oneStream(
  line: KeeperLine,
  server: SimProcess,
  { cursor, signal, opened, ready, project: scope }: Parameters<HubClient['events']>[0],
): AsyncGenerator<StreamEvent & { cursor?: string }> {
  const arrived: (() => Followed | undefined)[] = []
  let more = Promise.withResolvers<void>()
  let isOpen = true
  const arrives = (what: () => Followed | undefined) => {
    arrived.push(what)
    more.resolve()
  }
  const on = {
    scope,
    opened: () => arrives(() => void opened?.()),
    tell: (event: Followed) => arrives(() => event),
    ready: (at: string) => arrives(() => void ready?.(at)),
  }
  void line.follow(cursor, on, signal).then(() => {
    isOpen = false
    // In a killed process, no code may run after this.
    if (server.isAlive) more.resolve()
  })
  for (;;) {
    for (const what of arrived.splice(0)) {
      const event = what()
      if (event) yield event as StreamEvent & { cursor?: string }
    }
    if (!isOpen) throw unavailable()
    await more.promise
    more = Promise.withResolvers()
  }
}
