import { randomBytes } from 'node:crypto'

/** A name for a history that goes another way from here: cursors of the one before start anew. */
export function newEpoch(): string {
  return randomBytes(8).toString('hex')
}
