import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DirectTransport } from '../src/client/transport/direct.ts'
import { transportSuite } from './suites/transport-suite.ts'
import { testIdentity } from './support/test-identity.ts'

const module = pathToFileURL(join(import.meta.dirname, '../src/client/transport/direct.ts'))

transportSuite('TLS', {
  open: url => new DirectTransport(url, testIdentity.hubKey),
  source: url => `
    import { DirectTransport } from '${module}'
    const transport = new DirectTransport(new URL('${url}'), '${testIdentity.hubKey}')`,
})

transportSuite('HTTP', {
  open: url => new DirectTransport(url),
  source: url => `
    import { DirectTransport } from '${module}'
    const transport = new DirectTransport(new URL('${url}'))`,
})
