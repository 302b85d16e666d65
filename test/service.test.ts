import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { version } from '../src/protocol/version.ts'
import { type BootedSystem, bootSystem } from './support/booted-system.ts'
import { hubNode } from './support/program.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

/** One minute in ms. Limits are several times what an idle machine needs. */
const minutes = 60_000

/** Returns the number of starts of the service, from systemd's count of restarts. */
async function restarts(system: BootedSystem): Promise<number> {
  return Number(await system.out('systemctl show -P NRestarts claude-net'))
}

/** Creates a package of a later version, whose schema has one more step. */
function newerPackage(dir: string): void {
  const source = tempDir('newer')
  for (const name of [
    'src',
    'build.ts',
    'console-build.ts',
    'third-party.ts',
    'vite.config.ts',
    'tsconfig.json',
    'package.json',
    'package-lock.json',
  ])
    cpSync(name, join(source, name), { recursive: true })
  symlinkSync(resolve('node_modules'), join(source, 'node_modules'))
  const edit = (name: string, pattern: RegExp, by: string) => {
    const text = readFileSync(join(source, name), 'utf8')
    expect(text).toMatch(pattern)
    writeFileSync(join(source, name), text.replace(pattern, by))
  }
  edit('package.json', /"version": "[^"]+"/, '"version": "9.0.0"')
  edit(
    'src/hub/state/store/migrate.ts',
    /(const schemaSteps: [^=]+= \[[^\]]+?),?\s*\]/,
    "$1, 'create table of_later (x int) strict']",
  )
  execFileSync(hubNode, ['build.ts'], { cwd: source })
  cpSync(join(source, 'dist'), join(dir, 'dist'), { recursive: true })
  cpSync('install.sh', join(dir, 'install.sh'))
}

const ready = (system: BootedSystem) =>
  until('the hub is ready', async () => (await system.sh('curl -fsS localhost:3500/readyz')).code === 0, 120_000)

test('under a real systemd the hub is installed in one line, sandboxed, restarted when it is killed or hangs, and loses nothing', {
  timeout: 3 * minutes,
}, async context => {
  const system = await bootSystem(context)
  const shown = await system.out('/mnt/shared/package/install.sh --dry-run')
  expect(shown).toMatch(
    /^would write \/etc\/systemd\/system\/claude-net\.service [\s\S]*ExecStart=[\s\S]*Nothing was changed\.\n$/m,
  )
  expect((await system.sh('ls /opt/claude-net /etc/claude-net /var/lib/claude-net')).stdout).toBe('')

  const installed = await system.out('sudo /mnt/shared/package/install.sh')
  expect(installed).toMatch(/The hub runs, and starts with this host: 0\.1\.0-[0-9a-f]{8}, port 3500\.\n/)
  await ready(system)
  expect(await system.out('systemctl is-enabled claude-net; systemctl show -P StatusText claude-net')).toBe(
    'enabled\nlistens at http://127.0.0.1:3500\n',
  )
  expect((await system.sh('systemd-analyze verify claude-net.service')).stderr).toBe('')
  expect((await system.sh('systemd-analyze security --threshold=15 claude-net')).code).toBe(0)
  expect(
    await system.out('stat -c "%a %U %G" /var/lib/claude-net /etc/claude-net/hub.json /opt/claude-net/current/node'),
  ).toBe('700 claude-net claude-net\n640 root claude-net\n755 root root\n')
  const listening = await system.out('cat /proc/net/tcp')
  expect(listening).toMatch(/00000000:0DAC .* 0A /)

  await system.out('claude-net invite seanclaude')
  await system.out('mkdir -p /etc/systemd/system/claude-net.service.d')
  writeFileSync(join(system.shared, 'watch.conf'), '[Service]\nWatchdogSec=3\n')
  await system.out(
    'cp /mnt/shared/watch.conf /etc/systemd/system/claude-net.service.d/ && systemctl daemon-reload && systemctl restart claude-net',
  )
  await system.out('systemctl kill --kill-whom=main -s KILL claude-net')
  await until('it was restarted', async () => (await restarts(system)) === 1, 120_000)
  await ready(system)
  // Longer than the watchdog's deadline, so the process must have fed it.
  const startedAt = await system.out('systemctl show -P WatchdogTimestampMonotonic claude-net')
  await until(
    'the watchdog is fed',
    async () => (await system.out('systemctl show -P WatchdogTimestampMonotonic claude-net')) !== startedAt,
    90_000,
  )
  expect(await restarts(system)).toBe(1)
  await system.out('systemctl kill --kill-whom=main -s STOP claude-net')
  await until('the hanging process was restarted', async () => (await restarts(system)) === 2, 120_000)
  await ready(system)
  expect(await system.out('claude-net members')).toContain('seanclaude')
})

test('a second installation is an upgrade: the previous version is kept for a rollback, and removal leaves the store', {
  timeout: 3 * minutes,
}, async context => {
  const system = await bootSystem(context)
  const current = () => system.out('readlink /opt/claude-net/current')
  await system.out('/mnt/shared/package/install.sh')
  await system.out('claude-net invite seanclaude')
  const first = await current()
  // Other builds of the same version.
  for (const build of ['second', 'third']) {
    cpSync(join(system.shared, 'package'), join(system.shared, build), { recursive: true })
    writeFileSync(join(system.shared, build, 'dist', 'build.txt'), build)
  }
  const upgraded = await system.out('/mnt/shared/second/install.sh')
  const second = await current()
  expect(second).not.toBe(first)
  expect(upgraded).toContain(`${first.trim()} is kept: sudo claude-net install-service --back\n`)
  expect(await system.out('cat /opt/claude-net/current/build.txt')).toBe('second')
  expect(await system.out('readlink /proc/$(systemctl show -P MainPID claude-net)/exe')).toContain(second.trim())

  await system.out('claude-net install-service --back')
  expect(await current()).toBe(first)
  expect(await system.out('readlink /proc/$(systemctl show -P MainPID claude-net)/exe')).toContain(first.trim())
  expect(await system.out('claude-net members')).toContain('seanclaude')

  // A build that does not start is no target of --back: the version that ran is kept.
  await system.out(
    'cp -r /mnt/shared/second /mnt/shared/broken && echo "process.exit(3)" > /mnt/shared/broken/dist/hub.mjs',
  )
  const broken = await system.sh('/mnt/shared/broken/install.sh')
  expect(broken.code).toBe(1)
  expect(broken.stderr).toMatch(/does not start/)
  expect(broken.stderr).toContain(`install-service --back returns to ${first.trim()}.`)
  await system.out('/mnt/shared/third/install.sh')
  await ready(system)
  const folders = await system.out('ls /opt/claude-net')
  expect(
    folders
      .split('\n')
      .filter(name => name.startsWith('0.1.0-'))
      .sort(),
  ).toEqual([first.trim(), (await current()).trim()].sort())

  const removed = await system.out('claude-net uninstall-service')
  expect(removed).toContain('Kept, with all messages: /var/lib/claude-net, /etc/claude-net\n')
  expect((await system.sh('ls /opt/claude-net /usr/local/bin/claude-net')).stdout).toBe('')
  expect((await system.sh('systemctl cat claude-net')).code).not.toBe(0)
  rmSync(join(system.shared, 'second'), { recursive: true })
  await system.out('/mnt/shared/package/install.sh')
  expect(await system.out('claude-net members')).toContain('seanclaude')
})

test('a store that a newer version has upgraded is refused by the previous one, unchanged; the newer one still runs', {
  timeout: 3 * minutes,
}, async context => {
  const system = await bootSystem(context)
  newerPackage(join(system.shared, 'newer'))
  await system.out('/mnt/shared/package/install.sh')
  await system.out('claude-net invite seanclaude')
  const { schema } = JSON.parse(await system.out('claude-net status --json')).store
  await system.out('/mnt/shared/newer/install.sh')
  expect(JSON.parse(await system.out('claude-net status --json'))).toMatchObject({
    version: '9.0.0',
    store: { schema: schema + 1 },
  })

  const back = await system.sh('claude-net install-service --back')
  expect(back.code).toBe(1)
  expect(back.stderr).toContain(`The database has schema ${schema + 1}; this program knows ${schema} at most.`)
  expect(back.stderr).toContain('install-service --back returns to 9.0.0-')

  await system.out('claude-net install-service --back')
  await ready(system)
  expect(await system.out('claude-net members')).toContain('seanclaude')

  // Restores the previous store, as described in docs/operations.md.
  const [, backup] = / claude-net restore (\S+) --data /.exec(back.stderr)!
  await system.out(`set -e
    systemctl stop claude-net.socket claude-net.service
    claude-net restore ${backup} --data /var/lib/claude-net
    chown -R claude-net: /var/lib/claude-net
    claude-net install-service --back`)
  await ready(system)
  expect(JSON.parse(await system.out('claude-net status --json'))).toMatchObject({ version, store: { schema } })
  expect(await system.out('claude-net members')).toContain('seanclaude')
})

test('foreign files in its place stop it with an explanation; --replace moves them aside and prints how to restore them', {
  timeout: 3 * minutes,
}, async context => {
  const system = await bootSystem(context)
  writeFileSync(
    join(system.shared, 'old.service'),
    '[Service]\nExecStart=/mnt/shared/bin/node /opt/claude-net/server.js\n[Install]\nWantedBy=multi-user.target\n',
  )
  writeFileSync(
    join(system.shared, 'server.js'),
    "require('http').createServer((_, answer) => answer.end('the old one')).listen(3500)",
  )
  await system.out(
    'mkdir /opt/claude-net && cp /mnt/shared/server.js /opt/claude-net && cp /mnt/shared/old.service /etc/systemd/system/claude-net.service && systemctl daemon-reload && systemctl enable --now claude-net',
  )
  const oldAnswers = async () => (await system.sh('curl -fsS localhost:3500/')).stdout === 'the old one'
  await until('the old one answers', oldAnswers, 120_000)

  const refused = await system.sh('/mnt/shared/package/install.sh')
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(refused.stderr).toContain('/etc/systemd/system/claude-net.service is a unit that Claude Net did not write.')
  expect(refused.stderr).toContain("/opt/claude-net is there, and nothing of Claude Net's in it")
  expect(refused.stderr).toMatch(/Nothing was changed\. --replace moves aside/)
  expect(await oldAnswers()).toBe(true)

  const replaced = await system.out('/mnt/shared/package/install.sh --replace')
  await ready(system)
  const [, wayBack] = /The way back to what was there before, as root:\n((?: {2}.*\n)+)/.exec(replaced)!
  await system.out(`set -e\n${wayBack}`)
  await until('the old one answers again', oldAnswers, 120_000)

  // Only a listener on the port: first a service with another name, then a process without a unit.
  await system.out(
    'systemctl disable --now claude-net; mv /etc/systemd/system/claude-net.service /etc/systemd/system/other.service; mv /opt/claude-net/server.js /opt; rmdir /opt/claude-net; sed -i s,/opt/claude-net,/opt, /etc/systemd/system/other.service; systemctl daemon-reload; systemctl start other',
  )
  await until('the other answers', oldAnswers, 120_000)
  const taken = await system.sh('/mnt/shared/package/install.sh')
  expect(taken.stderr).toMatch(/Port 3500 is taken by the service other\.service, process \d+: .*server\.js\n/)
  expect(await system.out('/mnt/shared/package/install.sh --replace')).toContain(
    '  systemctl enable --now other.service\n',
  )
  await ready(system)
})
