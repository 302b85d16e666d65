import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HubClient } from '../src/client/hub-client.ts'
import { DirectTransport } from '../src/client/transport/direct.ts'
import { etcdAccess, type JournalSettings } from '../src/hub/config/journal.ts'
import { EtcdLog } from '../src/hub/journal/etcd/etcd-log.ts'
import { EtcdRoom } from '../src/hub/journal/etcd/etcd-room.ts'
import { explainEtcdError, isQuotaFull } from '../src/hub/journal/etcd/explain-etcd-error.ts'
import { EtcdGateway } from '../src/hub/journal/etcd/gateway.ts'
import { beginHistory } from '../src/hub/journal-commands.ts'
import { readHubConfig, serve } from '../src/hub/serve.ts'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { mintToken } from '../src/protocol/token.ts'
import { EtcdCluster } from './support/etcd.ts'
import { makeTlsFiles } from './support/etcd-certificates.ts'
import { startHub } from './support/hub.ts'
import { hubNode, run } from './support/program.ts'
import { tempDir } from './support/temp.ts'
import { describeWithEtcd } from './support/with-etcd.ts'

/** Returns the message that an attempt prints for the admin. */
async function wordsOf(attempt: Promise<unknown>, name = 'main'): Promise<string> {
  return attempt.then(
    () => 'it was done',
    error => {
      const { code, message } = explainEtcdError(error, name) as { code: string; message: string }
      return `${code}: ${message}`
    },
  )
}

describeWithEtcd('etcd with a quota', () => {
  let cluster: EtcdCluster
  beforeAll(async () => {
    cluster = await EtcdCluster.start(1, { more: ['--quota-backend-bytes', '4000000'] })
  })
  afterAll(() => cluster[Symbol.asyncDispose]())

  test('a full quota rejects records, and accepts them again after the log was trimmed and compacted', async () => {
    const history = await cluster.log()
    await using log = await history.connect()
    const room = new EtcdRoom({ endpoints: cluster.endpoints })
    const bytes = Buffer.alloc(500_000, 'x')
    let offset = 0
    const fill = async () => {
      for (; offset < 100; offset++) await log.append(offset, bytes)
    }
    const error = await fill().catch((error: unknown) => error)
    expect(isQuotaFull(error)).toBe(true)
    expect(await wordsOf(log.append(offset, bytes))).toBe('unavailable: etcd has no room left: its quota is full.')
    expect(await room.isFull()).toBe(true)
    await log.trim(offset)
    await room.make()
    expect(await room.isFull()).toBe(false)
    expect(await log.append(offset, bytes)).toBe(true)
  })

  test('a hub whose etcd is full reports it, refuses sends, and accepts them again without a restart', async () => {
    const history = await cluster.log()
    const dir = tempDir('full')
    const file = join(dir, 'hub.json')
    const journal = { endpoints: cluster.endpoints, name: history.name }
    const more = { host: '127.0.0.1', port: 0, limits: null, backup: { everyHours: 168 } }
    writeFileSync(file, JSON.stringify({ ...more, journal, hubName: 'h0' }))
    const lines: string[] = []
    const log = pino({ level: 'info' }, { write: line => void lines.push(line) })
    const config = readHubConfig({ config: file, data: join(dir, 'data') })
    const start = (trimEveryMs?: number) => serve(config, { log, onFatal: () => {}, trimEveryMs })
    const of = (hub: { url: string }, token: string) =>
      new HubClient({ transport: new DirectTransport(new URL(hub.url)), token, timeoutMs: 90_000 })
    const token = mintToken('machine')
    const send = (client: HubClient, size: number) =>
      client.call(api.sendMessage, { body: { id: newMessageId(), to: ['ana'], body: 'x'.repeat(size) } })
    {
      await using hub = await start()
      using admin = closing(of(hub, readFileSync(join(config.data, 'admin.token'), 'utf8').trim()))
      const { code } = await admin.client.call(api.invite, { body: { name: 'ana', kind: 'machine' } })
      using ana = closing(of(hub, token))
      await ana.client.call(api.join, { body: { code, machine: 'ana', token } })
      let refusal: unknown
      for (let round = 0; round < 40 && refusal === undefined; round++) {
        const sends = await Promise.allSettled(Array.from({ length: 20 }, () => send(ana.client, 15_000)))
        refusal = sends.flatMap(each => (each.status === 'rejected' ? [each.reason] : []))[0]
      }
      expect(refusal).toMatchObject({ code: 'unavailable', message: expect.stringContaining('etcd has no room left') })
      const { ready, notReady } = await admin.client.call(api.status)
      expect([ready, notReady]).toEqual([false, expect.stringContaining('etcd has no room left')])
    }
    await using hub = await start(1000)
    await expect.poll(() => lines.join(''), { timeout: 90_000 }).toContain('etcd has room again')
    expect(lines.join('')).toContain('etcd has no room left: its quota is full')
    using ana = closing(of(hub, token))
    await send(ana.client, 1)
  })
})

describeWithEtcd('etcd with users', () => {
  test('an etcd user has access to the keys of its own log; every other failure is explained', async () => {
    await using cluster = await EtcdCluster.start(1)
    const root = cluster.gateway()
    const ask = (path: string, body: object) => root.ask(path, body)
    const base64 = (text: string) => Buffer.from(text).toString('base64')
    for (const name of ['root', 'hub']) await ask('/v3/auth/user/add', { name, password: `${name}-secret` })
    for (const name of ['root', 'log-main']) await ask('/v3/auth/role/add', { name })
    await ask('/v3/auth/role/grant', {
      name: 'log-main',
      perm: { permType: 'READWRITE', key: base64('/claude-net/main/'), range_end: base64('/claude-net/main0') },
    })
    await ask('/v3/auth/user/grant', { user: 'root', role: 'root' })
    await ask('/v3/auth/user/grant', { user: 'hub', role: 'log-main' })
    const early = new EtcdGateway({ endpoints: cluster.endpoints, user: { name: 'hub', password: 'hub-secret' } })
    expect(await wordsOf(EtcdLog.find(early, 'main'))).toContain('its authentication is not enabled')
    early.close()
    await ask('/v3/auth/enable', {})
    const as = (user?: { name: string; password: string }) =>
      new EtcdGateway({ endpoints: cluster.endpoints, ...(user && { user }) })
    const hub = { name: 'hub', password: 'hub-secret' }
    {
      await using log = await EtcdLog.create(as(hub), 'main', 'epoch')
      expect(await log.append(0, Buffer.from('one'))).toBe(true)
      expect(await log.secret()).toBe(await log.secret())
      expect(await log.shown('peer')).toEqual(new Map())
      await log.trim(1)
      const lease = await as(hub).ask<{ ID: string }>('/v3/lease/grant', { TTL: '10' })
      await as(hub).ask('/v3/lease/keepalive', { ID: lease.ID })
    }
    expect(await wordsOf(EtcdLog.find(as(hub), 'other'), 'other')).toBe(
      "forbidden: etcd does not let this user read and write the history 'other'.",
    )
    expect(await wordsOf(EtcdLog.find(as({ name: 'hub', password: 'wrong' }), 'main'))).toContain(
      'forbidden: etcd refuses this user',
    )
    expect(await wordsOf(EtcdLog.find(as(), 'main'))).toBe('forbidden: etcd requires a user.')
    const access = { endpoints: cluster.endpoints }
    await new EtcdRoom({ ...access, user: { name: 'root', password: 'root-secret' } }).make()
    // Root is required only to free space on the disks.
    await new EtcdRoom({ ...access, user: hub }).make()
    root.close()
  })
})

describeWithEtcd('etcd with TLS', () => {
  test('both sides authenticate; every failure is explained with the field of hub.json that causes it', async () => {
    const dir = tempDir('tls')
    const [own, other] = [await makeTlsFiles(join(dir, 'own')), await makeTlsFiles(join(dir, 'other'))]
    await using cluster = await EtcdCluster.start(1, { tls: own.node })
    const { client } = own
    const journal = { endpoints: cluster.endpoints, name: 'main', tls: client }
    const config = join(dir, 'hub.json')
    writeFileSync(config, JSON.stringify({ journal: { ...journal, tls: { ...client, ca: 'own/ca.pem' } } }))
    const begun = await run(['journal', 'init', '--config', config, '--json'], { node: hubNode })
    expect(JSON.parse(begun.stdout)).toMatchObject({ name: 'main', wasThere: false })
    const hub = await startHub({ config: { journal, hubName: 'h0' } })
    expect((await hub.client(hub.adminToken).call(api.status)).ready).toBe(true)

    const failure = async (change: Partial<Pick<JournalSettings, 'tls' | 'endpoints'>>) => {
      const error = await beginHistory({ ...journal, ...change }).catch((error: unknown) => error)
      const { code, message, hint } = error as { code: string; message: string; hint: string }
      return `${code}: ${message} ${hint}`
    }
    const address = cluster.endpoints[0]!
    const broken = join(dir, 'broken.pem')
    writeFileSync(broken, readFileSync(client.key, 'utf8').slice(0, 60))
    expect(await failure({ tls: { ...client, ca: other.client.ca } })).toMatch(
      /^forbidden: This hub does not trust the certificate of etcd at .*: .* Check "ca" in "tls" of "journal"/,
    )
    expect(await failure({ tls: undefined })).toMatch(/^forbidden: This hub does not trust the certificate of .* "ca"/)
    expect(await failure({ tls: { ca: client.ca } })).toMatch(
      /^forbidden: etcd at .* accepts only clients with a certificate, and this hub has presented none. .*"tls": {"cert", "key"}/,
    )
    expect(await failure({ tls: { ...other.client, ca: client.ca } })).toMatch(
      /^forbidden: etcd at .* does not accept the certificate of this hub: unknown ca. Check "cert"/,
    )
    expect(await failure({ endpoints: [address.replace('127.0.0.1', 'localhost')] })).toMatch(
      /^forbidden: The certificate of etcd at localhost.* is not for that name: .*"endpoints" of "journal"/,
    )
    expect(await failure({ endpoints: [address.replace('https', 'http')] })).toMatch(/^forbidden: .* begin with https/)
    for (const [tls, told] of [
      [{ ...client, key: other.client.key }, /^journal.tls in hub.json: .* is not the key of the certificate in /],
      [{ ...client, key: broken }, /^journal.tls.key in hub.json: .* has no private key in PEM/],
      [{ ...client, cert: client.key }, /^journal.tls.cert in hub.json: .* has no certificate in PEM/],
      [{ ca: broken }, /^journal.tls.ca in hub.json: .* has no certificate in PEM/],
      [{ ca: join(dir, 'nowhere.pem') }, /^journal.tls.ca in hub.json: .* cannot be read: ENOENT/],
      [{ ca: client.ca, cert: client.cert }, /^journal.tls in hub.json has cert and no key/],
    ] as const)
      expect(() => etcdAccess({ endpoints: [address], tls })).toThrow(told)
  })
})

function closing(client: HubClient) {
  return { client, [Symbol.dispose]: () => client.close() }
}
