import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Command, Outcome } from '../state/commands.ts'

/** A submitted command, and the promise of its outcome. */
export interface Waiting {
  command: Command
  resolve: (outcome: Outcome) => void
  reject: (error: Error) => void
}

/** Commands that are committed together. */
export type Batch = readonly Waiting[]

/** Most commands in one pack, so that a submitter waits for a bounded number of others. */
export const maxBatch = 500

/** Removes the oldest commands from `queue` and returns them: at most `maxBatch`, of about `maxBytes` in JSON, and at least one. */
export function takeBatch(queue: Waiting[], maxBytes = Infinity): Batch {
  if (maxBytes === Infinity) return queue.splice(0, maxBatch)
  let size = 0
  let count = 0
  while (count < Math.min(queue.length, maxBatch)) {
    size += Buffer.byteLength(JSON.stringify(queue[count]!.command))
    if (count > 0 && size > maxBytes) break
    count++
  }
  return queue.splice(0, count)
}

export function rejectAll(batch: Batch, error: Error): void {
  for (const { reject } of batch) reject(error)
}

export function stopping(): ClaudeNetError {
  return new ClaudeNetError('unavailable', 'The hub is stopping.', 'Try again in a moment.')
}
