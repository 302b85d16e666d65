import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'

export default defineConfig({
  test: {
    reporters: ['default', './test/support/closing-line.ts'],
    // A worker runs one file after another: a worker for each, which loads all modules again, costs a second per file.
    isolate: false,
    // Three times the cores of a small machine: files wait for the processes they start. With four, a fifth of the time was idle.
    maxWorkers: 6,
    sequence: { sequencer: LongestFirst },
    // Deadlines for tests that hang: several times what a busy machine needs.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 90_000 } },
    projects: [
      { extends: true, test: { name: 'unit', include: ['src/**/*.test.ts', 'prove/**/*.test.ts'] } },
      {
        extends: true,
        test: { name: 'process', include: ['test/**/*.test.ts'], globalSetup: './test/support/snapshot/build.ts' },
      },
    ],
  },
})
