import { randomUUID } from 'node:crypto'
import * as z from 'zod'
import type { Hub } from '../hub.ts'
import type { Places, PlacesTeller, Shared } from './places.ts'

const topic = 'places'

/** How soon a move is put, and how long it is told of, in ms: a token that comes back later is in one place. */
const soonMs = 200
const keptMs = 60_000

/** Most moves, and tokens in two places, that are told of. */
const maxMoves = 500
const maxShared = 200

const Printable = z.string().regex(/^[\x20-\x7e]{1,200}$/)
const TokenId = z.string().regex(/^[\x21-\x7e]{1,64}$/)
const Value = z.object({
  /** Another one after each start: the moves are numbered anew. */
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

/** Has a token noticed that is used from two places at two hubs of this history: each tells the others where its tokens come from, when that changes. */
export class SharedPlaces implements PlacesTeller {
  readonly #board: Hub['board']
  readonly #places: Places
  readonly #run = randomUUID()
  #moves: (z.output<typeof Move> & { at: number })[] = []
  readonly #shared = new Map<string, Shared>()
  /** The last move of each other hub that is known. */
  readonly #heard = new Map<string, { run: string; n: number }>()
  #count = 0
  #timer: NodeJS.Timeout | undefined

  constructor(board: Hub['board'], places: Places) {
    this.#board = board
    this.#places = places
    places.teller = this
    board.onChange((hub, changed, value) => {
      if (changed === topic && value !== undefined) this.#hear(hub, value)
    })
    for (const [hub, topics] of board.peers) if (topics.has(topic)) this.#hear(hub, topics.get(topic)!)
  }

  moved(tokenId: string, place: string, label: string): void {
    this.#moves.push({ n: ++this.#count, tokenId, place, label, at: performance.now() })
    this.#putSoon()
  }

  shared(tokenId: string, shared: Shared): void {
    this.#shared.delete(tokenId)
    this.#shared.set(tokenId, shared)
    if (this.#shared.size > maxShared) this.#shared.delete(this.#shared.keys().next().value!)
    this.#putSoon()
  }

  #putSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const oldest = performance.now() - keptMs
      this.#moves = this.#moves.filter(({ at }) => at > oldest).slice(-maxMoves)
      const moves = this.#moves.map(({ at: _, ...move }) => move)
      const shared = [...this.#shared].map(([tokenId, each]) => ({ tokenId, ...each }))
      this.#board.put(topic, JSON.stringify({ run: this.#run, moves, shared }))
    }, soonMs).unref()
  }

  #hear(hub: string, value: string): void {
    const said = parsed(value)
    if (!said) return
    const known = this.#heard.get(hub)
    let n = known?.run === said.run ? known.n : 0
    for (const each of said.moves.slice(-maxMoves)) {
      const { data } = Move.safeParse(each)
      if (!data || data.n <= n) continue
      n = data.n
      this.#places.sawElsewhere(data.tokenId, data.place, data.label)
    }
    this.#heard.set(hub, { run: said.run, n })
    for (const each of said.shared.slice(-maxShared)) {
      const { data } = SharedToken.safeParse(each)
      if (data) {
        const { tokenId, ...shared } = data
        this.#places.sharedElsewhere(tokenId, { ...shared, at: Math.min(shared.at, Date.now()) })
      }
    }
  }
}

/** Undefined for what has another form. */
function parsed(value: string): z.output<typeof Value> | undefined {
  try {
    return Value.safeParse(JSON.parse(value)).data
  } catch {
    return undefined
  }
}
