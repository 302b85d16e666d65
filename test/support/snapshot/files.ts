import { join } from 'node:path'

const root = join(import.meta.dirname, '../../..')

/** Directory of the built files. */
export const dist = join(root, 'dist')

/** Snapshot of the loaded machine's side (build.ts). */
export const snapshot = join(root, 'node_modules/.cache/claude-net-snapshot/program.blob')
