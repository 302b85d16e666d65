import { randomUUID } from 'node:crypto'
import * as z from 'zod'
import type { Hub } from '../hub.ts'
import type { Shared, TokenHosts, TokenHostsPublisher } from './token-hosts.ts'

const topic = 'places'

/** Delay before a move is published, in ms. */
const publishMs = 200

/** Time for which a move is published, in ms: a token that returns later counts as used from one host. */
const publishedForMs = 60_000

/** Most moves, and most tokens used from two hosts, that are published. */
const maxMoves = 500
const maxShared = 200

const Printable = z.string().regex(/^[\x20-\x7e]{1,200}$/)
const TokenId = z.string().regex(/^[\x21-\x7e]{1,64}$/)
const Value = z.object({
  /** New at each start, when the numbering of moves restarts. */
  run: z.string().max(64),
  moves: z.array(z.unknown()),
  shared: z.array(z.unknown()),
})
const Move = z.object({ n: z.int().min(1), tokenId: TokenId, place: Printable, label: Printable })
const SharedToken = z.object({
  tokenId: TokenId,
  member: z.int().min(0),
  hosts: z.array(Printable).min(1).max(2),
  at: z.int().min(0),
})

/**
 * Detects tokens that are used from two hosts at different hubs of this history: each hub publishes the host of a token whenever that
 * changes.
 */
export class SharedTokenHosts implements TokenHostsPublisher {
  readonly #board: Hub['board']
  readonly #tokenHosts: TokenHosts
  readonly #run = randomUUID()
  #moves: (z.output<typeof Move> & { at: number })[] = []
  readonly #shared = new Map<string, Shared>()
  /** Last applied move of each other hub. */
  readonly #applied = new Map<string, { run: string; n: number }>()
  #count = 0
  #timer: NodeJS.Timeout | undefined

  constructor(board: Hub['board'], tokenHosts: TokenHosts) {
    this.#board = board
    this.#tokenHosts = tokenHosts
    tokenHosts.publisher = this
    board.onChange((hub, changed, value) => {
      if (changed === topic && value !== undefined) this.#apply(hub, value)
    })
    for (const [hub, topics] of board.peers) if (topics.has(topic)) this.#apply(hub, topics.get(topic)!)
  }

  moved(tokenId: string, place: string, label: string): void {
    this.#moves.push({ n: ++this.#count, tokenId, place, label, at: performance.now() })
    this.#publishSoon()
  }

  shared(tokenId: string, shared: Shared): void {
    this.#shared.delete(tokenId)
    this.#shared.set(tokenId, shared)
    if (this.#shared.size > maxShared) this.#shared.delete(this.#shared.keys().next().value!)
    this.#publishSoon()
  }

  #publishSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const oldest = performance.now() - publishedForMs
      this.#moves = this.#moves.filter(({ at }) => at > oldest).slice(-maxMoves)
      const moves = this.#moves.map(({ at: _, ...move }) => move)
      const shared = [...this.#shared].map(([tokenId, each]) => ({ tokenId, ...each }))
      this.#board.put(topic, JSON.stringify({ run: this.#run, moves, shared }))
    }, publishMs).unref()
  }

  #apply(hub: string, text: string): void {
    const value = parsed(text)
    if (!value) return
    const known = this.#applied.get(hub)
    let n = known?.run === value.run ? known.n : 0
    for (const each of value.moves.slice(-maxMoves)) {
      const { data } = Move.safeParse(each)
      if (!data || data.n <= n) continue
      n = data.n
      this.#tokenHosts.sawElsewhere(data.tokenId, data.place, data.label)
    }
    this.#applied.set(hub, { run: value.run, n })
    for (const each of value.shared.slice(-maxShared)) {
      const { data } = SharedToken.safeParse(each)
      if (data) {
        const { tokenId, ...shared } = data
        this.#tokenHosts.sharedElsewhere(tokenId, { ...shared, at: Math.min(shared.at, Date.now()) })
      }
    }
  }
}

/** Returns undefined for a value of another form. */
function parsed(value: string): z.output<typeof Value> | undefined {
  try {
    return Value.safeParse(JSON.parse(value)).data
  } catch {
    return undefined
  }
}
