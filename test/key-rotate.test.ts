import { createPrivateKey } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openTlsDoor } from '../src/hub/http/tls-door.ts'
import { readIdentityFile } from '../src/hub/identity/identity.ts'
import type { HubKey } from '../src/protocol/hub-key.ts'
import { type KeyLink, signKeyLink } from '../src/protocol/key-chain.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { startMachine, type TestMachine } from './support/machine.ts'
import { run } from './support/program.ts'
import { testIdentity } from './support/test-identity.ts'
import { until } from './support/until.ts'

vi.setConfig({ testTimeout: 180_000 })

const keyOf = async (hub: TestHub) =>
  JSON.parse((await run(['key', '--json', '--data', hub.dataDir])).stdout) as { hubKey: HubKey; links: KeyLink[] }

async function rotate(
  hub: TestHub,
  ...more: string[]
): Promise<{ hubKey: HubKey; before: HubKey; mustJoin: string[] }> {
  const ran = await run(['key', 'rotate', '--json', '--data', hub.dataDir, ...more])
  expect(ran).toMatchObject({ code: 0, stderr: '' })
  return JSON.parse(ran.stdout)
}

/** Makes a machine pin `hubKey` for its hub at `port`. */
function pinned(machine: TestMachine, port: number, hubKey: HubKey): TestMachine {
  const file = join(machine.home, 'config.json')
  const config = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify({ ...config, hub: `http://127.0.0.1:${port}`, hubKey, ofALaterVersion: 1 }))
  return machine
}

const configOf = ({ home }: TestMachine) => JSON.parse(readFileSync(join(home, 'config.json'), 'utf8'))

test('machines that missed rotations follow the chain of keys, as does a running session, and report it once', async () => {
  const hub = await startHub()
  const first = await keyOf(hub)
  expect(first.links).toEqual([])
  const ana = pinned(await startMachine(hub, 'ana'), hub.port, first.hubKey)
  const ben = pinned(await startMachine(hub, 'ben'), hub.port, first.hubKey)
  const session = await ben.mcp()
  expect((await session.call('machines')).text).toContain('ana')

  const second = await rotate(hub)
  expect(second).toMatchObject({ before: first.hubKey, mustJoin: [] })
  // The session continues on its open connections, and follows when it reconnects.
  expect((await session.call('machines')).isError).toBe(false)
  const third = await rotate(hub)
  await hub.crashAndRestart()
  expect((await keyOf(hub)).hubKey).toBe(third.hubKey)
  await until('the session has followed', () => configOf(ben).hubKey === third.hubKey)
  expect((await session.call('send', { to: 'ana', message: 'still here' })).isError).toBe(false)

  const woken = await ana.run(['inbox'])
  expect(woken).toMatchObject({ code: 0, stdout: expect.stringContaining('still here') })
  expect(woken.stderr).toContain(
    `The hub has a new key, ${third.hubKey}; its old one, ${first.hubKey}, vouches for it.`,
  )
  expect(configOf(ana)).toMatchObject({ hubKey: third.hubKey, machine: 'ana', ofALaterVersion: 1 })
  expect(await ana.run(['inbox'])).toMatchObject({ code: 0, stderr: '' })

  const shown = (await run(['key', '--data', hub.dataDir])).stdout
  expect(shown).toContain(third.hubKey)
  expect(shown).toContain('2 earlier keys lead to it')
  const { links } = (await (await fetch(new URL('/hub-key.json', hub.url))).json()) as { links: KeyLink[] }
  expect(links.map(({ to }) => to)).toEqual([second.hubKey, third.hubKey])
  // The previous private keys are deleted.
  expect(Object.keys(readIdentityFile(join(hub.dataDir, 'identity.json'))!).sort()).toEqual(
    ['certificate', 'key', 'links', 'madeAt'].sort(),
  )
})

test('--compromised breaks the chain: no machine follows, its token is not sent, and the command names those that must join again', async () => {
  const hub = await startHub()
  const { hubKey } = await keyOf(hub)
  const ana = pinned(await startMachine(hub, 'ana'), hub.port, hubKey)
  await ana.run(['machines'])
  // A machine that does not use TLS has not pinned a key.
  const ben = await startMachine(hub, 'ben')
  await ben.run(['machines'])
  await rotate(hub)
  const { mustJoin, before } = await rotate(hub, '--compromised')
  expect(mustJoin).toEqual(['ana'])
  expect((await keyOf(hub)).links).toEqual([])
  const refused = await ana.run(['machines'])
  expect(refused.code).not.toBe(0)
  expect(refused.stderr).toContain(
    'its chain of keys has no link from the key that this machine knows. Nothing was sent to it.',
  )
  expect(configOf(ana).hubKey).toBe(hubKey)
  const { lines } = JSON.parse((await run(['audit', '--json', '--data', hub.dataDir])).stdout)
  expect(lines[0]).toMatchObject({ action: 'rotateKey', actor: 'admin', detail: 'compromised', result: 'ok' })
  // After another rotation, the chain starts at the new key.
  expect((await rotate(hub)).before).not.toBe(before)
  expect((await keyOf(hub)).links).toHaveLength(1)
})

test('a server with another key and an invalid chain is sent no token, and changes no pin', async () => {
  const hub = await startHub()
  const file = join(hub.dataDir, 'identity.json')
  const { hubKey: old } = await keyOf(hub)
  const { certificate: _, key: stolen } = readIdentityFile(file)!
  const { hubKey } = await rotate(hub)
  const { links } = await keyOf(hub)
  const ana = pinned(await startMachine(hub, 'ana'), hub.port, hubKey)
  const fromOld = signKeyLink(createPrivateKey(stolen), testIdentity.hubKey, new Date().toISOString())

  const heard: string[] = []
  let answer: unknown
  const server = createServer((request, response) => {
    heard.push(`${request.method} ${request.url} ${request.headers.authorization}`)
    response.setHeader('content-type', 'application/json')
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
  })
  openTlsDoor(server, { identity: testIdentity, timeoutMs: 5000, onSecured: () => {} })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const me = testIdentity.hubKey
  const chains: [what: unknown, why: string, pin?: HubKey][] = [
    [{ hubKey: me, links }, 'leads to another key', old],
    [{ hubKey: me, links: [{ ...links[0], to: me }] }, 'has no link from the key'],
    // The previous key was stolen, and signs a link to the thief's.
    [{ hubKey: me, links: [fromOld] }, 'has no link from the key'],
    [{ hubKey: old, links: [...links, fromOld] }, 'has no link from the key'],
    [{ hubKey: me, links: [] }, 'has no link from the key'],
    [{ error: { code: 'not_found' } }, 'it provides no chain of keys'],
    ['{"hubKey":', 'it provides no chain of keys'],
    ['x'.repeat(1_000_000), 'is too long'],
  ]
  for (const [what, why, pin = hubKey] of chains) {
    answer = what
    pinned(ana, port, pin)
    const ran = await ana.run(['machines'])
    expect([ran.code === 0, ran.stderr]).toEqual([false, expect.stringContaining(why)])
    expect(ran.stderr).toContain('Nothing was sent to it.')
  }
  expect(new Set(heard)).toEqual(new Set(['GET /hub-key.json undefined']))
  expect(configOf(ana).hubKey).toBe(hubKey)
})
