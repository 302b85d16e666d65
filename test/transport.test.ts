import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DirectTransport } from '../src/client/transport/direct.ts'
import { transportSuite } from './suites/transport-suite.ts'

const module = pathToFileURL(join(import.meta.dirname, '../src/client/transport/direct.ts'))

transportSuite('HTTP', {
  open: url => new DirectTransport(url),
  source: url => `
    import { DirectTransport } from '${module}'
    const transport = new DirectTransport(new URL('${url}'))`,
})
