import type { ChartsAnswer } from '../../protocol/charts.ts'
import { eyesFor } from '../state/query/viewer.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Handlers } from './handler.ts'
import { membersNamed, type Sight } from './sight.ts'

/** Time for which charts are cached, in ms. */
const cacheMs = 15_000

/** Most charts in the cache. */
const maxCached = 200

/** `GET /v1/charts`: computed once for all callers who see the same messages. */
export function charts(sight: Sight): Handlers['charts'] {
  const cached = new Map<string, { answer: Promise<ChartsAnswer>; until: number }>()
  return async ({ hub, identity, query: { hours, of: named } }) => {
    const viewer = sight.viewerOf(identity)
    const of = membersNamed(hub, named)
    const eyes = eyesFor(hub.state.db, viewer, of)
    const key = `${hours} ${eyes === 'all' ? eyes : [...eyes].sort((a, b) => a - b).join(' ')}`
    const now = performance.now()
    for (const [other, { until }] of cached) if (until <= now || cached.size > maxCached) cached.delete(other)
    const known = cached.get(key)
    if (known) return known.answer
    const answer = hub.reader
      .ask('charts', { viewer, of, hours, now: Date.now() }, identity.tokenId)
      .then(({ from, columnMs, ...lists }) => ({ from: timestamp(from), bucketS: columnMs / 1000, ...lists }))
    cached.set(key, { answer, until: now + cacheMs })
    // Failures are not cached.
    answer.catch(() => cached.delete(key))
    return answer
  }
}
