import type { FastifyReply, FastifyRequest } from 'fastify'
import { api } from '../../protocol/api.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { parseCursor } from '../../protocol/events.ts'
import type { Route } from '../../protocol/routes/route.ts'
import { minSeqParameter, seqHeader, staleHeader } from '../../protocol/seq-header.ts'
import type { Hub } from '../hub.ts'

/** The header `seqHeader`, and `staleHeader` where the hub may be behind, of an answer that is given now. */
export function headersOfLevel({ level, state }: Hub): [name: string, value: string][] {
  if (!level) return []
  const { staleS } = level
  const seq: [string, string] = [seqHeader, String(state.position.seq)]
  return staleS === undefined ? [seq] : [seq, [staleHeader, String(staleS)]]
}

/** Sets them on an answer of the framework. */
export function tellLevel(hub: Hub, reply: FastifyReply): void {
  for (const [name, value] of headersOfLevel(hub)) reply.header(name, value)
}

/**
 * Takes `min_seq` out of a request, before its route checks the other parameters. Returns a promise where the hub has to wait for what
 * the caller has seen elsewhere: of whether that came. A hub that stands alone has everything. Throws `invalid` for what is no seq.
 */
export function takeMinSeq({ level, state }: Hub, { query }: FastifyRequest): Promise<boolean> | undefined {
  const parameters = query as Record<string, unknown>
  if (!(minSeqParameter in parameters)) return undefined
  const seq = seqIn(parameters[minSeqParameter], state.position.epoch)
  delete parameters[minSeqParameter]
  return level === undefined || seq <= state.position.seq ? undefined : level.reach(seq)
}

/** A seq, also as a cursor; 0 for a cursor of another history, whose numbers say nothing here. */
function seqIn(value: unknown, epoch: string): number {
  if (typeof value === 'string' && /^(0|[1-9][0-9]{0,14})$/.test(value)) return Number(value)
  const cursor = typeof value === 'string' ? parseCursor(value) : undefined
  if (cursor) return cursor.epoch === epoch ? cursor.seq : 0
  throw new ClaudeNetError(
    'invalid',
    `query.${minSeqParameter}: this is no seq.`,
    `Send the number of the header ${seqHeader}, or leave it out.`,
  )
}

/** What tells of the hub itself is answered however far it is behind. */
export function tellsOfHub({ path }: Route): boolean {
  return path === api.status.path || path === api.metrics.path || path.startsWith('/v1/hubs')
}
