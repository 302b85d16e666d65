import { modelSuite } from './suites/model-suite.ts'
import { OpenLocalJournal } from './support/local-journal.ts'

modelSuite('the local journal', (dir, clocks) => new OpenLocalJournal(dir, clocks), { numRuns: 200, atLeast: 10 })
