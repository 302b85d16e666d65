import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import type { HubWay } from '../src/client/hubs.ts'
import { SeveralHubs } from '../src/client/transport/several.ts'
import { SshTransport } from '../src/client/transport/ssh.ts'
import { sshFiles } from '../src/client/transport/ssh-files.ts'
import { endLink } from '../src/client/transport/ssh-link.ts'
import { startAnsweringServer } from './support/answering-server.ts'
import { freePort, Sshd, startSshd } from './support/sshd.ts'
import { tempDir } from './support/temp.ts'
import { testIdentity } from './support/test-identity.ts'

test('a machine uses the hub of another host while ssh to its own fails', async context => {
  const first = await startSshd(context)
  const second = new Sshd(tempDir('second-sshd'), { port: await freePort() })
  onTestFinished(() => second.kill())
  await second.start()
  // One ssh configuration for both servers.
  first.configureClient(`\n${readFileSync(second.clientConfig, 'utf8').replace('Host ovh5', 'Host ovh6')}`)
  const before = process.env.PATH
  process.env.PATH = first.path
  onTestFinished(() => {
    process.env.PATH = before
  })
  const dir = tempDir('ssh-hubs')
  const servers = [await startAnsweringServer(), await startAnsweringServer()]
  const ways = ['ovh5', 'ovh6'].map((sshHost, index): HubWay => {
    const hub = new URL(`https://localhost:${servers[index]!.url.port}`)
    onTestFinished(() => endLink(sshFiles({ host: sshHost, hub, dir })))
    return { id: `${sshHost} ${hub.host}`, hub, sshHost, hubKey: testIdentity.hubKey }
  }) as [HubWay, HubWay]
  let now = 1_000_000
  const hubs = new SeveralHubs({
    ways: () => ways,
    open: ({ hub, sshHost }) => new SshTransport({ host: sshHost, hub, dir }, testIdentity.hubKey),
    memory: { read: () => undefined, write: () => {} },
    now: () => now,
    random: () => 0,
  })
  onTestFinished(() => hubs.close())
  const ask = async () => {
    const signal = AbortSignal.timeout(90_000)
    await text(await hubs.request({ method: 'GET', path: '/echo', headers: {}, signal }))
    return hubs.way.sshHost
  }
  expect(await ask()).toBe('ovh5')
  first.freeze()
  expect(await ask()).toBe('ovh6')
  await first.kill()
  expect(await ask()).toBe('ovh6')
  // The client does not return to a hub that is not ready: this one does not support /readyz.
  await first.start()
  now += 5 * 60_000
  await ask()
  expect(await ask()).toBe('ovh6')
  // If both are unreachable, the error names both.
  await Promise.all([first.kill(), second.kill()])
  // Requests in progress when the server ended may still get a response.
  await expect
    .poll(() =>
      ask().then(
        () => 'answered',
        error => error.message,
      ),
    )
    .toMatch(/ovh5 cannot be reached: .* The other hubs of this machine cannot be reached either: ovh6\./)
})
