import type { Hub } from '../hub.ts'
import { memberById } from '../state/query/find-member.ts'
import { presenceOf } from './presence.ts'
import { eventText } from './sse.ts'

/** Time for which changes are collected before they are sent, in ms. */
const collectMs = 100

/** Most changes that are sent as one `presence` event each, which clients of every version read. */
const maxSingle = 10

/** Most members in one `presences` event, about 10 KB; `more` counts the others. */
const maxTogether = 100

type Change = { member: number } & ReturnType<typeof presenceOf>

/**
 * Sends changes of presence to every open stream. Changes are collected and encoded once for all streams, so that the cost grows
 * with the number of streams, not with its square, when thousands of sessions return together.
 */
export class PresenceNews {
  readonly #hub: Hub
  readonly #readers = new Set<(bytes: Uint8Array) => void>()
  #changes: Change[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(hub: Hub) {
    this.#hub = hub
    hub.presence.on('changed', member => {
      if (this.#readers.size === 0) return
      this.#changes.push({ member, ...presenceOf(hub, member) })
      this.#timer ??= setTimeout(() => this.#send(), collectMs).unref()
    })
  }

  /** Calls `reader` with encoded events from now on. Returns a function that unsubscribes it. */
  read(reader: (bytes: Uint8Array) => void): () => void {
    this.#readers.add(reader)
    return () => this.#readers.delete(reader)
  }

  #send(): void {
    const all = this.#changes
    this.#changes = []
    this.#timer = undefined
    // Of many changes, only the last of each member is sent.
    const changes = all.length <= maxSingle ? all : [...new Map(all.map(change => [change.member, change])).values()]
    const members = changes.slice(0, maxTogether).flatMap(({ member, ...presence }) => {
      const name = memberById(this.#hub.state.db, member)?.name
      return name === undefined ? [] : [{ name, ...presence }]
    })
    const text =
      changes.length <= maxSingle
        ? members.map(member => eventText('presence', member)).join('')
        : eventText('presences', { members, more: Math.max(0, changes.length - maxTogether) })
    const bytes = Buffer.from(text)
    if (bytes.length > 0) for (const reader of this.#readers) reader(bytes)
  }
}
