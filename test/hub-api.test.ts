import { hubSuite } from './suites/hub-suite.ts'
import { TestHub } from './support/hub.ts'

hubSuite('the local journal', dataDir => new TestHub({ dataDir }))
