import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'

export default defineConfig({
  test: {
    reporters: ['default', './test/support/closing-line.ts'],
    // A worker goes on with the next file: starting one for each, and loading all modules again, took a second of each file.
    isolate: false,
    // Twice the cores of a small machine: with three, a third of the time both waited for what files have started.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    // For what hangs: several times what a busy machine takes.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 25_000 } },
    projects: [
      { extends: true, test: { name: 'unit', include: ['src/**/*.test.ts', 'prove/**/*.test.ts'] } },
      {
        extends: true,
        test: { name: 'process', include: ['test/**/*.test.ts'], globalSetup: './test/support/snapshot/build.ts' },
      },
    ],
  },
})
