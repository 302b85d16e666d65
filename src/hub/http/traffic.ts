import type { z } from 'zod'
import type { ChangeEvent, TrafficEvent } from '../../protocol/events.ts'
import type { Identity } from '../auth/identify.ts'
import type { Hub } from '../hub.ts'
import { memberById } from '../state/query/find-member.ts'
import { type ChangedItem, isHeld, type SentItem, type TrafficItem } from '../state/query/traffic.ts'
import { type Eyes, eyesOf, readsTexts, sees, type Viewer } from '../state/query/viewer.ts'
import { timestamp } from '../state/timestamp.ts'
import { eventText } from './sse.ts'

/** Most names of the sender and recipients of a message in one event. */
const maxOf = 100

/** Turns traffic into the events of one stream, as far as its reader may see it at that moment. */
export class TrafficEvents {
  readonly #hub: Hub
  readonly #viewer: Viewer
  readonly #identity: Identity
  readonly #mayRead: () => boolean
  #eyes: Eyes
  #membersVersion: number
  readonly #names = new Map<number, string>()

  /** `mayRead` is called for each text: the permissions of an admin can change while the stream is open. */
  constructor(hub: Hub, identity: Identity, viewer: Viewer, mayRead: () => boolean) {
    this.#hub = hub
    this.#viewer = viewer
    this.#identity = identity
    this.#mayRead = mayRead
    this.#eyes = eyesOf(hub.state.db, viewer)
    this.#membersVersion = hub.traffic.membersVersion
  }

  /** Returns the events of a page as text, the last of them with `cursor`; empty if the reader may see none of them. */
  textOf(items: readonly TrafficItem[], cursor: string): string {
    const { traffic, state } = this.#hub
    if (traffic.membersVersion !== this.#membersVersion) {
      this.#membersVersion = traffic.membersVersion
      this.#eyes = eyesOf(state.db, this.#viewer)
      this.#names.clear()
    }
    const last = items.findLast(({ kind }) => kind === 'members')
    const events = items.flatMap((item): [string, unknown][] => {
      if (item.kind === 'members') return item === last ? [['members', {}]] : []
      const data = item.kind === 'sent' ? this.#sent(item) : this.#changed(item)
      return data ? [[item.kind === 'sent' ? 'traffic' : 'change', data]] : []
    })
    return events
      .map(([event, data], index) => eventText(event, data, index === events.length - 1 ? cursor : undefined))
      .join('')
  }

  #sent(item: SentItem): z.input<typeof TrafficEvent> | undefined {
    const { seq, id, sender, recipients, to, intent, bytes, replyTo, sentAt, beginning } = item
    const of = new Set([sender, ...recipients].filter(member => sees(this.#eyes, member)))
    if (of.size === 0) return undefined
    const { member, role } = this.#identity
    const isShown = readsTexts(this.#viewer) && this.#mayRead()
    const isHidden = !isShown || (role === 'machine' && sender !== member && this.#isHeld(seq))
    return {
      ...{ seq, id, of: [...of].slice(0, maxOf).map(each => this.#name(each)), from: this.#name(sender) },
      fromKind: sender === 0 ? 'hub' : (memberById(this.#hub.state.db, sender)?.kind ?? 'machine'),
      ...{ to, intent, bytes, ...(replyTo !== undefined && { replyTo }), sentAt: timestamp(sentAt) },
      ...(!isHidden && { beginning }),
    }
  }

  #changed({ seq, id, sender, recipient, status, at }: ChangedItem): z.input<typeof ChangeEvent> | undefined {
    if (!sees(this.#eyes, sender) && !sees(this.#eyes, recipient)) return undefined
    return { seq, id, recipient: this.#name(recipient), status, at }
  }

  /** Reports whether the message is held for the machine's user, so that no agent is shown its text. */
  #isHeld(seq: number): boolean {
    return isHeld(this.#hub.state.db, seq, this.#identity.member)
  }

  #name(member: number): string {
    if (member === 0) return 'hub'
    let name = this.#names.get(member)
    if (name === undefined) {
      name = memberById(this.#hub.state.db, member)?.name ?? '?'
      this.#names.set(member, name)
    }
    return name
  }
}
