import { randomUUID } from 'node:crypto'
import * as z from 'zod'
import type { Hub } from '../hub.ts'
import { type Rate, TokenBuckets } from './token-buckets.ts'

/** Topic under which each hub publishes the tokens that it gave lately. */
const topic = 'limits'

/** Part of a limit below which a key is not published: 16 hubs together then still give no more than the limit. */
const quietPart = 1 / 16

/** Delay before taken tokens are published, in ms. */
const publishMs = 200

/** Time for which a key stays published after it last took a token, in ms. */
const keptMs = 120_000

/** Most keys that are published, and most characters of one. */
const maxKeys = 2000
const maxKey = 100

const Taken = z.object({
  /** New at each start, when the counts restart at 0. */
  run: z.string().max(64),
  taken: z.record(z.string().max(40), z.record(z.string(), z.unknown())),
})

interface Own {
  kind: string
  key: string
  /** Tokens taken at this hub since the key is published. */
  taken: number
  at: number
}

/**
 * Makes limits count over all hubs that share a log: each hub publishes how many tokens it gave to the busiest keys, and takes what the
 * others gave from its own buckets, about a second later.
 */
export class SharedLimits {
  readonly #board: Hub['board']
  readonly #run = randomUUID()
  readonly #own = new Map<string, Own>()
  /** Tokens that each other hub had given when it last published, by `KIND KEY`. */
  readonly #applied = new Map<string, { run: string; taken: ReadonlyMap<string, number> }>()
  #buckets = new Map<string, TokenBuckets>()
  #timer: NodeJS.Timeout | undefined

  constructor(board: Hub['board']) {
    this.#board = board
    board.onChange((hub, changed, value) => {
      if (changed === topic && value !== undefined) this.#apply(hub, value)
    })
  }

  /** Replaces the shared buckets with `limits`, by kind. Undefined ones are switched off. */
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
    this.#timer ??= setTimeout(() => this.#publish(), publishMs).unref()
  }

  #publish(): void {
    this.#timer = undefined
    const oldest = performance.now() - keptMs
    const taken = Object.fromEntries([...this.#buckets.keys()].map(kind => [kind, {} as Record<string, number>]))
    for (const [name, { kind, key, taken: count, at }] of this.#own) {
      if (at < oldest) this.#own.delete(name)
      else if (key.length <= maxKey) taken[kind]![key] = Math.round(count)
    }
    this.#board.put(topic, JSON.stringify({ run: this.#run, taken }))
  }

  #apply(hub: string, text: string): void {
    const value = parsed(text)
    if (!value) return
    const before = this.#applied.get(hub)
    const taken = new Map<string, number>()
    for (const [kind, keys] of Object.entries(value.taken)) {
      const buckets = this.#buckets.get(kind)
      if (!buckets) continue
      for (const [key, count] of Object.entries(keys).slice(0, maxKeys)) {
        if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0 || key.length > maxKey) continue
        const name = `${kind} ${key}`
        taken.set(name, count)
        const more = count - (before?.run === value.run ? (before.taken.get(name) ?? 0) : 0)
        if (more > 0) buckets.charge(key, more)
      }
    }
    this.#applied.set(hub, { run: value.run, taken })
  }
}

/** Returns undefined for a value of another form. */
function parsed(value: string): z.output<typeof Taken> | undefined {
  try {
    return Taken.safeParse(JSON.parse(value)).data
  } catch {
    return undefined
  }
}
