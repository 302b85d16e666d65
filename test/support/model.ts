import type { CommandOf } from '../../src/hub/state/commands.ts'

export const machines = ['ana', 'ben', 'cat']
export const humans = ['sean']
/** Everyone, in the order in which they became members: the first has the id 1. */
export const members = [...machines, ...humans]

export type Send = CommandOf<'message.send'>

export interface ModelDelivery {
  status: 'stored' | 'fetched' | 'acked' | 'expired'
  fetchedBy?: { session: string; at: number }
  /** When it was acked or expired. */
  endedAt?: number
}

export interface ModelMessage {
  command: Send
  sentAt: number
  /** By recipient, in the order in which they were named. */
  deliveries: Map<string, ModelDelivery>
}

/** What a hub promises of inboxes and receipts, in as few lines as it takes. No storage, no seq: a list in order is enough. */
export class Model {
  /** Wall clock, ms since 1970. */
  now = Date.parse('2026-01-01T00:00:00.000Z')
  readonly messages: ModelMessage[] = []

  send(command: Send): 'stored' | 'repeated' | 'conflict' | 'not_found' {
    const earlier = this.messages.find(message => message.command.id === command.id)
    if (earlier) return JSON.stringify(earlier.command) === JSON.stringify(command) ? 'repeated' : 'conflict'
    const sender = nameOf(command.by)
    const named = command.to.flatMap(name => (name === 'all' ? machines.filter(other => other !== sender) : [name]))
    if (!named.every(name => members.includes(name))) return 'not_found'
    const deliveries = new Map(named.map(name => [name, { status: 'stored' as const }]))
    this.messages.push({ command, sentAt: this.now, deliveries })
    if (command.replyTo) this.ack(command.by, [command.replyTo])
    return 'stored'
  }

  fetched(by: number, ids: string[], session: string): { fetched: string[]; unknown: string[] } {
    const [fetched, unknown] = this.#own(by, ids)
    for (const delivery of this.#unread(by, fetched)) {
      Object.assign(delivery, { status: 'fetched', fetchedBy: { session, at: this.now } })
    }
    return { fetched, unknown }
  }

  ack(by: number, ids: string[]): { acked: string[]; unknown: string[]; unread: number } {
    const [acked, unknown] = this.#own(by, ids)
    for (const delivery of this.#unread(by, acked)) Object.assign(delivery, { status: 'acked', endedAt: this.now })
    return { acked, unknown, unread: this.inbox(nameOf(by)).length }
  }

  /** Expires what is due. Answers how many deliveries that were. */
  tick(): number {
    let expired = 0
    for (const { command, sentAt, deliveries } of this.messages) {
      if (command.expiresInS === undefined || sentAt + command.expiresInS * 1000 > this.now) continue
      for (const delivery of deliveries.values()) {
        if (!isUnread(delivery)) continue
        Object.assign(delivery, { status: 'expired', endedAt: this.now })
        expired++
      }
    }
    return expired
  }

  /** What `name` has not read, oldest first. */
  inbox(name: string): ModelMessage[] {
    return this.messages.filter(({ deliveries }) => isUnread(deliveries.get(name)))
  }

  /** Ids that were ever in this inbox, and the others. */
  #own(by: number, ids: string[]): [string[], string[]] {
    const own = this.messages.filter(({ deliveries }) => deliveries.has(nameOf(by))).map(({ command }) => command.id)
    return [ids.filter(id => own.includes(id)), ids.filter(id => !own.includes(id))]
  }

  #unread(by: number, ids: string[]): ModelDelivery[] {
    return this.inbox(nameOf(by)).flatMap(({ command, deliveries }) =>
      ids.includes(command.id) ? [deliveries.get(nameOf(by))!] : [],
    )
  }
}

export function nameOf(member: number): string {
  return members[member - 1]!
}

function isUnread(delivery: ModelDelivery | undefined): boolean {
  return delivery?.status === 'stored' || delivery?.status === 'fetched'
}
