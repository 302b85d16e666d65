import type { FastifyReply, FastifyRequest } from 'fastify'
import { api } from '../../protocol/api.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { parseCursor } from '../../protocol/events.ts'
import type { Route } from '../../protocol/routes/route.ts'
import { minSeqParameter, seqHeader, staleHeader } from '../../protocol/seq-header.ts'
import type { Hub } from '../hub.ts'

/** Returns the headers of a response that is sent now: `seqHeader`, and `staleHeader` if the hub may be behind. */
export function headersOfLevel({ level, state }: Hub): [name: string, value: string][] {
  if (!level) return []
  const { staleS } = level
  const seq: [string, string] = [seqHeader, String(state.position.seq)]
  return staleS === undefined ? [seq] : [seq, [staleHeader, String(staleS)]]
}

/** Sets these headers on a response of the framework. */
export function setLevelHeaders(hub: Hub, reply: FastifyReply): void {
  for (const [name, value] of headersOfLevel(hub)) reply.header(name, value)
}

/**
 * Removes `min_seq` from a request, before its route validates the other parameters. If the hub has not applied that seq yet, returns a
 * promise of whether it arrives; a standalone hub never waits. Throws `invalid` if it is not a seq.
 */
export function takeMinSeq({ level, state }: Hub, { query }: FastifyRequest): Promise<boolean> | undefined {
  const parameters = query as Record<string, unknown>
  if (!(minSeqParameter in parameters)) return undefined
  const seq = seqIn(parameters[minSeqParameter], state.position.epoch)
  delete parameters[minSeqParameter]
  return level === undefined || seq <= state.position.seq ? undefined : level.reach(seq)
}

/** Parses a seq or a cursor; returns 0 for a cursor of another history, whose seqs are not comparable. */
function seqIn(value: unknown, epoch: string): number {
  if (typeof value === 'string' && /^(0|[1-9][0-9]{0,14})$/.test(value)) return Number(value)
  const cursor = typeof value === 'string' ? parseCursor(value) : undefined
  if (cursor) return cursor.epoch === epoch ? cursor.seq : 0
  throw new ClaudeNetError(
    'invalid',
    `query.${minSeqParameter}: this is not a seq.`,
    `Send the number of the header ${seqHeader}, or leave it out.`,
  )
}

/** Reports whether a route returns the state of the hub itself, and so is served however far the hub is behind. */
export function isAboutHub({ path }: Route): boolean {
  return path === api.status.path || path === api.metrics.path || path.startsWith('/v1/hubs')
}
