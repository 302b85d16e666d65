import { once } from 'node:events'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mintToken } from '../src/protocol/token.ts'
import { type BootedSystem, bootSystem } from './support/booted-system.ts'
import { until } from './support/until.ts'

/** One minute in ms. Limits are several times what an idle machine needs. */
const minutes = 60_000

const install = '/mnt/shared/package/install.sh'

interface Seen {
  stored: string[]
  repeated: number
  failures: Record<string, number>
}

/** Joins a member, and returns its token. */
async function joinMember(system: BootedSystem, name: string): Promise<string> {
  const { code } = JSON.parse(await system.out(`claude-net invite ${name} --json --url http://127.0.0.1:3500`))
  const token = mintToken('machine')
  writeFileSync(join(system.shared, 'join.json'), JSON.stringify({ code, machine: name, token }))
  await system.out(
    'curl -fsS -H "content-type: application/json" -d @/mnt/shared/join.json http://127.0.0.1:3500/v1/join',
  )
  return token
}

/** Sends to `ben` without a pause while `work` runs. Returns the outcomes. */
async function underLoad(system: BootedSystem, token: string, work: () => Promise<unknown>): Promise<Seen> {
  const load = system.start(`node /mnt/shared/load.mjs http://127.0.0.1:3500 ${token} ben`)
  let said = ''
  load.stdout.setEncoding('utf8').on('data', text => (said += text))
  const ended = once(load, 'close')
  try {
    await work()
  } finally {
    load.stdin.end()
    await ended
  }
  return JSON.parse(said)
}

/** Returns the ids of all messages of `ben`; an id occurs as often as it is stored. */
async function idsOfBen(system: BootedSystem, token: string): Promise<string[]> {
  const ids: string[] = []
  for (let before = ''; ; ) {
    const url = `http://127.0.0.1:3500/v1/messages?limit=100${before}`
    const page = JSON.parse(await system.out(`curl -fsS -H 'authorization: Bearer ${token}' '${url}'`))
    ids.push(...page.messages.map(({ message }: { message: { id: string } }) => message.id))
    if (!page.more) return ids
    before = `&before=${page.messages.at(-1).message.seq}`
  }
}

const mainPid = (system: BootedSystem) => system.out('systemctl show -P MainPID claude-net')

const ready = (system: BootedSystem, port = 3500) =>
  until('the hub is ready', async () => (await system.sh(`curl -fsS localhost:${port}/readyz`)).code === 0, 120_000)

/** Returns the error that another user gets for binding the port. */
const bindAsOther = (system: BootedSystem, port = 3500) =>
  system.out(
    `setpriv --reuid=65534 --regid=65534 --clear-groups node -e "require('net').createServer().on('error', e => console.log(e.code)).listen(${port}, '0.0.0.0', () => { console.log('taken'); process.exit() })"`,
  )

test('systemd holds the port: no other process gets it while the hub is down, no connection is refused, and every send is stored once', {
  timeout: 4 * minutes,
}, async context => {
  const system = await bootSystem(context)
  cpSync('test/support/steady-load.mjs', join(system.shared, 'load.mjs'))
  writeFileSync(join(system.shared, 'hub.json'), '{"host":"0.0.0.0","port":3500,"limits":null}')
  await system.out('mkdir -p /etc/claude-net && cp /mnt/shared/hub.json /etc/claude-net')
  const installed = await system.out(install)
  expect(installed).toContain('systemd holds that port while the hub is away: systemctl status claude-net.socket\n')
  expect(await system.out('systemctl is-enabled claude-net.socket; systemctl is-active claude-net.socket')).toBe(
    'enabled\nactive\n',
  )
  expect((await system.sh('systemd-analyze verify claude-net.service claude-net.socket')).stderr).toBe('')
  const [ana, ben] = [await joinMember(system, 'ana'), await joinMember(system, 'ben')]
  expect(await system.out('systemctl show -P StatusText claude-net')).toBe('listens at http://127.0.0.1:3500\n')

  // After kill -9, connected clients are cut and retry, and new connections wait.
  const killed = await underLoad(system, ana, async () => {
    for (let n = 0; n < 3; n++) {
      const before = await mainPid(system)
      await system.out('sleep 0.3; systemctl kill --kill-whom=main -s KILL claude-net')
      await until('another hub runs', async () => !['0\n', before].includes(await mainPid(system)), 120_000)
      await ready(system)
    }
  })
  expect(
    Object.keys(killed.failures).filter(kind => !['ECONNRESET', 'EPIPE', 'socket hang up'].includes(kind)),
  ).toEqual([])

  // An upgrade to another build of the same version. No send fails.
  cpSync(join(system.shared, 'package'), join(system.shared, 'second'), { recursive: true })
  writeFileSync(join(system.shared, 'second', 'dist', 'build.txt'), 'second')
  const upgraded = await underLoad(system, ana, () => system.out('/mnt/shared/second/install.sh'))
  expect(upgraded.failures).toEqual({})
  expect(upgraded.stored.length).toBeGreaterThan(10)
  const sent = [...killed.stored, ...upgraded.stored]
  expect((await idsOfBen(system, ben)).sort()).toEqual(sent.sort())

  // While the hub repeatedly fails to start, the port stays held, and a waiting client gets its response once it starts.
  await system.out('echo "{" > /etc/claude-net/hub.json')
  await system.out('systemctl kill --kill-whom=main -s KILL claude-net')
  const waiting = system.sh('curl -fsS --retry 0 -m 100 http://127.0.0.1:3500/healthz')
  const restarts = async () => Number(await system.out('systemctl show -P NRestarts claude-net'))
  await until('many restarts', async () => (await restarts()) > 8, 120_000)
  expect(await bindAsOther(system)).toBe('EADDRINUSE\n')
  expect(await system.out('systemctl is-active claude-net.socket')).toBe('active\n')
  await system.out('cp /mnt/shared/hub.json /etc/claude-net/hub.json')
  expect(await waiting).toMatchObject({ code: 0, stdout: expect.stringContaining('"ok":true') })

  // The unit's address takes precedence, with a warning; another installation changes it to that of hub.json.
  await system.out(`echo '{"host":"::","port":3600}' > /etc/claude-net/hub.json; systemctl restart claude-net`)
  await ready(system)
  expect(await system.out('journalctl -u claude-net -o cat --no-pager')).toContain('hub.json says otherwise')
  const check = 'claude-net hub --check --config /etc/claude-net/hub.json'
  expect(await system.sh(check)).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('But systemd holds 0.0.0.0:3500 for the service (claude-net.socket)'),
  })
  await system.out('/mnt/shared/second/install.sh')
  await ready(system, 3600)
  expect(await system.out("curl -fsS 'http://[::1]:3600/healthz'; curl -fsS http://127.0.0.1:3600/healthz")).toMatch(
    /"ok":true.*"ok":true/,
  )
  expect(JSON.parse(await system.out(`${check} --json`))).toMatchObject({
    ok: true,
    socket: ['[::]:3600'],
    agrees: true,
  })
  expect(await bindAsOther(system)).toBe('taken\n')
})

test('an installation without the socket is upgraded to it and back; a version without socket support gets its port back', {
  timeout: 4 * minutes,
}, async context => {
  const system = await bootSystem(context)
  // An earlier version, which does not support sockets, without a socket unit for its port.
  cpSync(join(system.shared, 'package'), join(system.shared, 'older'), { recursive: true })
  const older = join(system.shared, 'older', 'dist')
  for (const name of readdirSync(older).filter(name => /^hub.*\.mjs$/.test(name))) {
    const text = readFileSync(join(older, name), 'utf8')
    writeFileSync(join(older, name), text.replaceAll('LISTEN_FDS', 'LISTEN_NOT'))
  }
  await system.out('/mnt/shared/older/install.sh --no-socket')
  expect((await system.sh('systemctl cat claude-net.socket')).code).not.toBe(0)
  await system.out('claude-net invite seanclaude --url http://127.0.0.1:3500')

  await system.out(install)
  await ready(system)
  expect(await system.out('systemctl is-active claude-net.socket')).toBe('active\n')
  await system.out('systemctl stop claude-net.service')
  expect(await bindAsOther(system)).toBe('EADDRINUSE\n')
  // The next connection starts the hub.
  await ready(system)
  expect(await system.out('claude-net members')).toContain('seanclaude')

  expect(await system.out('claude-net install-service --back')).not.toContain('systemd holds')
  await ready(system)
  expect((await system.sh('systemctl cat claude-net.socket')).code).not.toBe(0)
  expect(await system.out('claude-net members')).toContain('seanclaude')

  await system.out(install)
  // Permanently stopped, as for a restore: socket and service.
  await system.out('systemctl stop claude-net.socket claude-net.service')
  expect(await bindAsOther(system)).toBe('taken\n')
  await system.out('systemctl start claude-net')
  expect(await system.out('systemctl is-active claude-net.socket')).toBe('active\n')
  await system.out(`${install} --no-socket`)
  await ready(system)
  expect((await system.sh('systemctl cat claude-net.socket')).code).not.toBe(0)

  await system.out(install)
  const removed = await system.out('claude-net uninstall-service')
  expect(removed).toContain('remove /etc/systemd/system/claude-net.socket\n')
  expect((await system.sh('systemctl cat claude-net.socket claude-net.service')).code).not.toBe(0)
  expect(await bindAsOther(system)).toBe('taken\n')
})
