import * as z from 'zod'
import type { TokenUses } from '../push/token-uses.ts'
import type { Board } from './board.ts'

const topic = 'token-uses'

/** Most tokens in one value. */
const maxUses = 4000

const Uses = z.array(z.unknown())
const Use = z.tuple([z.string().regex(/^[\x21-\x7e]{1,64}$/), z.int().min(0)])

/** Receives the last uses of tokens at other hubs, from now on. */
export function receiveTokenUses(board: Board, uses: TokenUses, now: () => number = Date.now): void {
  board.onChange((_hub, changed, value) => {
    if (changed !== topic || value === undefined) return
    for (const each of parsed(value)) {
      const { data } = Use.safeParse(each)
      if (data) uses.sawElsewhere(data[0], Math.min(data[1], now()))
    }
  })
}

/** Shares the last uses of tokens at this hub, in ms since 1970; the latest if there are too many. */
export function putTokenUses(board: Board, uses: TokenUses, changed: ReadonlyMap<string, number>): void {
  const here = [...changed].filter(([id, at]) => uses.wasHere(id, at))
  if (here.length === 0) return
  board.put(topic, JSON.stringify(here.sort((a, b) => b[1] - a[1]).slice(0, maxUses)))
}

function parsed(value: string): unknown[] {
  try {
    return (Uses.safeParse(JSON.parse(value)).data ?? []).slice(0, maxUses)
  } catch {
    return []
  }
}
