import { randomBytes } from 'node:crypto'

/** Returns a random name for a history that diverges from here, so that cursors of the previous one start over. */
export function newEpoch(): string {
  return randomBytes(8).toString('hex')
}
