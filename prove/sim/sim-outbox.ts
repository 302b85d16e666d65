import { join } from 'node:path'
import { Home } from '../../src/client/home.ts'
import type { HubClient } from '../../src/client/hub-client.ts'
import { Outbox } from '../../src/client/outbox.ts'
import { api } from '../../src/protocol/api.ts'
import { ClaudeNetError } from '../../src/protocol/errors.ts'
import type { SendRequest } from '../../src/protocol/messages.ts'

/** Connection of an outbox to the hub, over the simulated network. */
export interface OutboxLine {
  send(request: SendRequest): Promise<{ seq: number; at: number }>
  /** Resolves when the hub responds to a request. */
  probe(): Promise<void>
  /** Names of all machines. */
  names: readonly string[]
  /** Name of this machine. */
  you: string
}

/** A home without a directory for locks, so that concurrent drains are not serialized. */
class HomeWithoutLocks extends Home {
  override get runDir(): string {
    return join(this.dir, 'none/run')
  }
}

/** Opens the program's own outbox, in a home on a simulated disk. */
export function openOutbox(dir: string, line: OutboxLine): Outbox {
  const client = {
    call: async (route: object, { body }: { body?: SendRequest } = {}) => {
      if (route === api.sendMessage) {
        const { seq } = await line.send(body!)
        return { id: body!.id, seq, sentAt: '', recipients: [] }
      }
      if (route !== api.listMachines) throw new Error('the simulation has no such route')
      await line.probe()
      return {
        you: line.you,
        members: line.names.map(name => ({ name, kind: 'machine', aliases: [] })),
        groups: [],
      }
    },
    transport: {
      label: 'sim',
      async request() {
        await line.probe()
        const answer = { statusCode: 200, on: () => answer, resume: () => answer }
        return answer
      },
      close() {},
    },
  }
  return new Outbox(new HomeWithoutLocks(dir), client as unknown as HubClient)
}

/** Reports whether this error is inconclusive for a send: the message stays in the outbox, or is retried. */
export function isUndecided(error: unknown): boolean {
  return !(error instanceof ClaudeNetError) || !error.settled
}
