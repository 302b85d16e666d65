import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Returns the path of the bundled client: beside the bundled hub, or in dist/ where the hub runs from source. */
export function findClientFile(): string {
  const name = 'claude-net.mjs'
  const beside = join(import.meta.dirname, name)
  return existsSync(beside) ? beside : join(dirname(import.meta.dirname), '../../dist', name)
}
