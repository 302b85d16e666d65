import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { SshTransport } from '../src/client/transport/ssh.ts'
import { sshFiles } from '../src/client/transport/ssh-files.ts'
import { endLink } from '../src/client/transport/ssh-link.ts'
import { transportSuite } from './suites/transport-suite.ts'
import { freePort, Sshd, whyNoSshd } from './support/sshd.ts'
import { testIdentity } from './support/test-identity.ts'

const module = pathToFileURL(join(import.meta.dirname, '../src/client/transport/ssh.ts'))
const why = whyNoSshd()

describe('through a real sshd', () => {
  const dir = mkdtempSync(join(tmpdir(), 'claude-net-sshd-'))
  let sshd: Sshd
  let runs = 0
  const { PATH } = process.env

  beforeAll(async () => {
    if (why) return
    sshd = new Sshd(dir, { port: await freePort() })
    process.env.PATH = sshd.path
    await sshd.start()
  })
  beforeEach(context => {
    if (why) context.skip(why)
  })
  afterAll(async () => {
    process.env.PATH = PATH
    await sshd?.kill()
    rmSync(dir, { recursive: true })
  })

  /** Returns options with a new directory, which has no open connection. */
  const place = (url: URL) => {
    const options = { host: 'ovh5', hub: new URL(`http://localhost:${url.port}`), dir: join(dir, `run-${runs++}`) }
    onTestFinished(() => endLink(sshFiles(options)))
    return options
  }

  transportSuite('ssh', {
    open: url => new SshTransport(place(url)),
    source: url => {
      const { host, hub, dir } = place(url)
      return `
        import { SshTransport } from '${module}'
        const transport = new SshTransport({ host: '${host}', hub: new URL('${hub}'), dir: '${dir}' })`
    },
  })

  transportSuite('TLS in ssh', {
    open: url => new SshTransport(place(url), testIdentity.hubKey),
    source: url => {
      const { host, hub, dir } = place(url)
      return `
        import { SshTransport } from '${module}'
        const options = { host: '${host}', hub: new URL('${hub}'), dir: '${dir}' }
        const transport = new SshTransport(options, '${testIdentity.hubKey}')`
    },
  })

  test('a directory whose name contains ssh tokens is used literally', async () => {
    const options = { ...place(new URL('http://localhost:1')), dir: join(dir, 'a %h:$HOME b') }
    onTestFinished(() => endLink(sshFiles(options)))
    const transport = new SshTransport(options)
    onTestFinished(() => transport.close())
    await expect(transport.request({ method: 'GET', path: '/', headers: {} })).rejects.toMatchObject({
      message: expect.stringContaining('ovh5 is reached, but nothing answers on its port 1'),
    })
  })
})
