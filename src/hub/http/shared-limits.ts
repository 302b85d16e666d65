import { randomUUID } from 'node:crypto'
import * as z from 'zod'
import type { Hub } from '../hub.ts'
import { type Rate, TokenBuckets } from './token-buckets.ts'

/** What each hub has taken lately is put under this topic. */
const topic = 'limits'

/** Who takes less than this part of a limit at one hub is not told of: that many hubs together come to no more than the limit. */
const quietPart = 1 / 16

/** How soon what was taken is put, and how long a key that takes no more stays, in ms. */
const soonMs = 200
const keptMs = 120_000

/** Most keys that are told of, and characters of one. */
const maxKeys = 2000
const maxKey = 100

const Taken = z.object({
  /** Another one after each start: counts begin anew. */
  run: z.string().max(64),
  taken: z.record(z.string().max(40), z.record(z.string(), z.unknown())),
})

interface Own {
  kind: string
  key: string
  /** Tokens that were taken here since the key is told of. */
  taken: number
  at: number
}

/**
 * Has the limits of several hubs that share a log count together: each tells the others how many tokens it gave, of keys that take many, and
 * takes what others gave from its own buckets. They know of each other about a second late.
 */
export class SharedLimits {
  readonly #board: Hub['board']
  readonly #run = randomUUID()
  readonly #own = new Map<string, Own>()
  /** What each other hub had given when it last told, by `KIND KEY`. */
  readonly #heard = new Map<string, { run: string; taken: ReadonlyMap<string, number> }>()
  #buckets = new Map<string, TokenBuckets>()
  #timer: NodeJS.Timeout | undefined

  constructor(board: Hub['board']) {
    this.#board = board
    board.onChange((hub, changed, value) => {
      if (changed === topic && value !== undefined) this.#hear(hub, value)
    })
  }

  /** Shares these buckets, by what they count, from now on, and no others. Undefined ones are switched off. */
  share(limits: Record<string, { rate: Rate; buckets: TokenBuckets } | undefined>): void {
    for (const buckets of this.#buckets.values()) buckets.onTake = undefined
    this.#buckets = new Map()
    this.#own.clear()
    for (const [kind, limit] of Object.entries(limits)) {
      if (!limit) continue
      const { rate, buckets } = limit
      this.#buckets.set(kind, buckets)
      const quiet = {
        perMinute: rate.perMinute * quietPart,
        burst: Math.max(1, Math.floor(rate.burst * quietPart)),
      }
      const meter = new TokenBuckets(quiet)
      buckets.onTake = (key, tokens) => this.#took(kind, key, tokens, { meter, unseen: quiet.burst })
    }
  }

  #took(kind: string, key: string, tokens: number, { meter, unseen }: { meter: TokenBuckets; unseen: number }): void {
    const name = `${kind} ${key}`
    const known = this.#own.get(name)
    if (!known && meter.take(key, tokens) === 0) return
    const own = known ?? { kind, key, taken: unseen, at: 0 }
    own.taken += tokens
    own.at = performance.now()
    // The newest last.
    this.#own.delete(name)
    this.#own.set(name, own)
    if (this.#own.size > maxKeys) this.#own.delete(this.#own.keys().next().value!)
    this.#timer ??= setTimeout(() => this.#put(), soonMs).unref()
  }

  #put(): void {
    this.#timer = undefined
    const oldest = performance.now() - keptMs
    const taken = Object.fromEntries([...this.#buckets.keys()].map(kind => [kind, {} as Record<string, number>]))
    for (const [name, { kind, key, taken: count, at }] of this.#own) {
      if (at < oldest) this.#own.delete(name)
      else if (key.length <= maxKey) taken[kind]![key] = Math.round(count)
    }
    this.#board.put(topic, JSON.stringify({ run: this.#run, taken }))
  }

  #hear(hub: string, value: string): void {
    const said = parsed(value)
    if (!said) return
    const before = this.#heard.get(hub)
    const taken = new Map<string, number>()
    for (const [kind, keys] of Object.entries(said.taken)) {
      const buckets = this.#buckets.get(kind)
      if (!buckets) continue
      for (const [key, count] of Object.entries(keys).slice(0, maxKeys)) {
        if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0 || key.length > maxKey) continue
        const name = `${kind} ${key}`
        taken.set(name, count)
        const more = count - (before?.run === said.run ? (before.taken.get(name) ?? 0) : 0)
        if (more > 0) buckets.charge(key, more)
      }
    }
    this.#heard.set(hub, { run: said.run, taken })
  }
}

/** Undefined for what has another form. */
function parsed(value: string): z.output<typeof Taken> | undefined {
  try {
    return Taken.safeParse(JSON.parse(value)).data
  } catch {
    return undefined
  }
}
