import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, type TestContext, test, vi } from 'vitest'
import { findTool } from './support/newcomer.ts'
import { hubNode, type Ran, run } from './support/program.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

// Each test starts several programs, which takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000 })

/** Returns every path below some directories, with the attributes that a change would affect. */
function listing(...dirs: string[]): string[] {
  return dirs.flatMap(dir =>
    existsSync(dir)
      ? ['', ...readdirSync(dir, { recursive: true })].map(name => {
          const path = join(dir, String(name))
          const stats = lstatSync(path, { throwIfNoEntry: false })
          return `${path} ${stats?.mode} ${stats?.uid} ${stats?.size} ${stats?.mtimeMs}`
        })
      : [],
  )
}

/** Directories of this system in which a service would be installed. */
const outside = ['/etc', '/opt', '/usr/local/bin', '/usr/lib/sysusers.d', '/run/systemd', '/var/lib/claude-net']

const installService = (root: string, ...options: string[]): Promise<Ran> =>
  run(['install-service', '--root', root, ...options], { node: hubNode })

/** Returns a port that is free at the moment. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** A scratch root with the service in it, on a free port. */
async function scratchRoot(context: TestContext): Promise<{ root: string; port: number; installed: Ran }> {
  for (const tool of ['systemctl', 'systemd-sysusers']) {
    if (!findTool(tool)) context.skip(`the service needs ${tool} of systemd, not installed here`)
  }
  const root = tempDir('root')
  const port = await freePort()
  return { root, port, installed: await installService(root, '--port', String(port)) }
}

test('--root changes nothing outside it, and --dry-run changes nothing', async context => {
  const before = listing(...outside)
  const { root, port, installed } = await scratchRoot(context)
  expect(installed).toMatchObject({ code: 0, stderr: '' })
  expect(listing(...outside)).toEqual(before)
  const [folder] = readdirSync(join(root, 'opt/claude-net')).filter(name => name.startsWith('0.'))
  expect(readdirSync(join(root, 'opt/claude-net')).sort()).toEqual(['.claude-net', folder, 'bin', 'current'].sort())
  expect(readlinkSync(join(root, 'opt/claude-net/current'))).toBe(folder)
  expect(JSON.parse(readFileSync(join(root, 'etc/claude-net/hub.json'), 'utf8'))).toEqual({ host: '0.0.0.0', port })
  expect(lstatSync(join(root, 'var/lib/claude-net')).mode & 0o777).toBe(0o700)
  expect(readlinkSync(join(root, 'etc/systemd/system/multi-user.target.wants/claude-net.service'))).toBe(
    '/etc/systemd/system/claude-net.service',
  )

  const socket = readFileSync(join(root, 'etc/systemd/system/claude-net.socket'), 'utf8')
  expect(socket).toContain(`\nListenStream=0.0.0.0:${port}\n`)
  expect(readlinkSync(join(root, 'etc/systemd/system/sockets.target.wants/claude-net.socket'))).toBe(
    '/etc/systemd/system/claude-net.socket',
  )

  const inside = listing(root)
  const shown = await installService(root, '--dry-run')
  expect(shown.stdout).toContain('would run systemctl')
  expect(shown.stdout).toMatch(/\n {4}ProtectSystem=strict\n/)
  expect(shown.stdout).toMatch(/Nothing was changed\.\n$/)
  const fresh = tempDir('fresh')
  await installService(fresh, '--dry-run', '--port', String(port))
  expect(readdirSync(fresh)).toEqual([])
  expect(listing(root)).toEqual(inside)
})

test('without a running systemd nothing is installed, and the error says what to do instead', async context => {
  if (existsSync('/run/systemd/system')) context.skip('systemd runs here: this would install the service')
  const { code, stdout, stderr } = await run(['install-service'], { node: hubNode })
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/systemd does not run here\.\n.*--root DIR/)
})

test('--no-socket leaves the port to the hub, and removes an earlier socket unit', async context => {
  const { root } = await scratchRoot(context)
  const names = () => readdirSync(join(root, 'etc/systemd/system'), { recursive: true }).map(String)
  expect(names().filter(name => name.endsWith('claude-net.socket'))).toHaveLength(2)
  expect(await installService(root, '--no-socket')).toMatchObject({ code: 0, stderr: '' })
  expect(names().filter(name => name.endsWith('claude-net.socket'))).toEqual([])
  expect(JSON.parse((await installService(root, '--json')).stdout)).toMatchObject({ isPortHeld: true })
  expect(names().filter(name => name.endsWith('claude-net.socket'))).toHaveLength(2)
})

test('a second installation changes nothing essential; files that were tampered with are repaired', async context => {
  const { root } = await scratchRoot(context)
  writeFileSync(join(root, 'etc/claude-net/hub.json'), '{"port": 3999, "hosts": ["hub.lan"]}')
  writeFileSync(join(root, 'opt/claude-net/current/hub.mjs'), 'not the hub')
  const again = await installService(root, '--json')
  expect(JSON.parse(again.stdout)).toMatchObject({ port: 3999, previous: null, wayBack: [] })
  expect(readFileSync(join(root, 'etc/claude-net/hub.json'), 'utf8')).toContain('hub.lan')
  expect(readFileSync(join(root, 'opt/claude-net/current/hub.mjs'))).toEqual(readFileSync('dist/hub.mjs'))
  expect(await installService(root, '--port', '3500')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('says port 3999'),
  })
  writeFileSync(join(root, 'etc/claude-net/hub.json'), '{"prot": 3999}')
  expect(await installService(root)).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/hub\.json: .*prot/),
  })
})

test('a listener on the port stops it, with its name, and in a tree even with --replace', async context => {
  const { root, port } = await scratchRoot(context)
  const other = spawn(hubNode, ['-e', `require('net').createServer().listen(${port}, () => console.log('up'))`])
  onTestFinished(() => void other.kill())
  await once(other.stdout, 'data')
  for (const options of [[], ['--replace']]) {
    expect(await installService(root, ...options)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(`Port ${port} is taken by process ${other.pid}: ${hubNode} -e require('net')`),
    })
  }
  expect(other.exitCode).toBe(null)
})

test('a foreign unit or directory stops it; --replace moves them aside; removal leaves store and settings', async context => {
  const { port } = await scratchRoot(context)
  const root = tempDir('foreign')
  const foreign = {
    'usr/lib/systemd/system/claude-net.service': '[Service]\n',
    'etc/systemd/system/claude-net.socket': '[Socket]\n',
    'opt/claude-net/server.js': '1',
    'var/lib/claude-net/x': '2',
  }
  for (const [path, text] of Object.entries(foreign)) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const before = listing(root)
  const refused = await installService(root, '--port', String(port))
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  for (const path of Object.keys(foreign).map(path => path.replace(/\/(server\.js|x)$/, '')))
    expect(refused.stderr).toContain(`${join(root, path)} is `)
  expect(listing(root)).toEqual(before)

  const { wayBack } = JSON.parse((await installService(root, '--port', String(port), '--replace', '--json')).stdout)
  expect(wayBack).toContain(`mv ${root}/opt/claude-net.before-claude-net ${root}/opt/claude-net`)
  for (const [path, text] of Object.entries(foreign)) {
    const kept = path.replace(
      /(claude-net\.service|claude-net\.socket|opt\/claude-net|lib\/claude-net)(?!\.)/,
      '$1.before-claude-net',
    )
    expect(readFileSync(join(root, kept), 'utf8')).toBe(text)
  }

  expect(await run(['uninstall-service', '--root', root], { node: hubNode })).toMatchObject({ code: 0, stderr: '' })
  const left = readdirSync(root, { recursive: true }).map(String)
  expect(
    left.filter(path => /(opt\/claude-net|claude-net\.(service|socket|conf)|bin\/claude-net)$/.test(path)),
  ).toEqual([])
  expect(left).toEqual(expect.arrayContaining(['etc/claude-net/hub.json', 'var/lib/claude-net']))
})

test('two concurrent installations leave one complete version', async context => {
  const { port } = await scratchRoot(context)
  const root = tempDir('twice')
  const both = await Promise.all([1, 2].map(() => installService(root, '--port', String(port))))
  // One of the two may fail because of the other, with a sentence that says so.
  for (const { code, stderr } of both) expect(stderr).toMatch(code === 0 ? /^$/ : /^claude-net: Could not .+\n.+\n$/)
  expect(both.map(({ code }) => code)).toContain(0)
  const current = join(root, 'opt/claude-net/current')
  const names = readdirSync('dist', { recursive: true, encoding: 'utf8' }).filter(name =>
    statSync(join('dist', name)).isFile(),
  )
  expect(names).toContainEqual(expect.stringMatching(/^console\/index\.html$/))
  for (const name of names) expect(readFileSync(join(current, name))).toEqual(readFileSync(join('dist', name)))
  expect(execFileSync(join(current, 'node'), ['--version'], { encoding: 'utf8' })).toMatch(/^v\d/)
})

test("a command of a machine, or a dangling one, is replaced by the hub's; any other stays, and so does a foreign unit at removal", async context => {
  const { root, port } = await scratchRoot(context)
  const link = join(root, 'usr/local/bin/claude-net')
  const machines = '/root/.claude-net/bin/claude-net'
  const other = '/srv/other/bin/claude-net'
  for (const path of [machines, other]) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), '')
  }
  const install = async (target: string) => {
    rmSync(link)
    symlinkSync(target, link)
    expect(await installService(root, '--port', String(port))).toMatchObject({ code: 0, stderr: '' })
    return readlinkSync(link)
  }
  const hubs = '/opt/claude-net/bin/claude-net'
  expect([await install('/srv/gone/bin/claude-net'), await install(machines), await install(other)]).toEqual([
    hubs,
    hubs,
    other,
  ])

  const unit = join(root, 'etc/systemd/system/claude-net.service')
  writeFileSync(unit, '[Service]\n')
  const uninstall = () => run(['uninstall-service', '--root', root], { node: hubNode, env: { HOME: '/root' } })
  expect(await uninstall()).toMatchObject({ code: 0, stderr: '' })
  expect(readFileSync(unit, 'utf8')).toBe('[Service]\n')
  expect(readlinkSync(link)).toBe(other)
  rmSync(unit)
  expect(await install(machines)).toBe(hubs)
  // Without the hub, the command leads to the machine's client again.
  expect(await uninstall()).toMatchObject({ code: 0, stderr: '' })
  expect(readlinkSync(link)).toBe(machines)
})

test('the unit passes systemd-analyze, with an exposure of 1.5 or less', async context => {
  if (!findTool('systemd-analyze')) context.skip('systemd-analyze is not installed here')
  const { root } = await scratchRoot(context)
  const unit = join(root, 'etc/systemd/system/claude-net.service')
  const scored = execFileSync('systemd-analyze', ['security', '--offline=true', '--threshold=15', unit], {
    encoding: 'utf8',
  })
  expect(scored).toMatch(/Overall exposure level for claude-net\.service: [01]\.\d/)
  // The unit names a program in the tree, which is not installed on this system.
  const copy = join(tempDir('unit'), 'claude-net.service')
  writeFileSync(copy, readFileSync(unit, 'utf8').replaceAll('/opt/claude-net', join(root, 'opt/claude-net')))
  expect(execFileSync('systemd-analyze', ['verify', copy], { encoding: 'utf8', stdio: 'pipe' })).toBe('')
})

test('the command line of the unit runs from the tree, as its user, with everything but its store read-only', async context => {
  if (process.getuid?.() !== 0) context.skip('only root can run it as another user')
  const [unshare, setpriv] = [findTool('unshare'), findTool('setpriv')]
  if (!unshare || !setpriv) context.skip('unshare and setpriv of util-linux are not installed here')
  const { root, port } = await scratchRoot(context)
  const unit = readFileSync(join(root, 'etc/systemd/system/claude-net.service'), 'utf8')
  const [, commandLine] = /^ExecStart=(.*)$/m.exec(unit)!
  const [, uid, gid] = /^claude-net:[^:]*:(\d+):(\d+):/m.exec(readFileSync(join(root, 'etc/passwd'), 'utf8'))!
  const script = `set -e
    for dir in opt etc var/lib; do mount --bind "$1/$dir" /$dir; done
    mount --bind /var/lib/claude-net /var/lib/claude-net
    mount -o remount,bind,ro /; for dir in opt etc var/lib; do mount -o remount,bind,ro /$dir; done
    cd /var/lib/claude-net
    exec ${setpriv} --reuid=${uid} --regid=${gid} --clear-groups --no-new-privs ${commandLine}`
  const child = spawn(unshare!, ['--mount', 'sh', '-c', script, 'service', root], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'exit')
  onTestFinished(() => stop(child))
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (log += text))
  await until('it listens', () => log.includes('the hub listens') || child.exitCode !== null, 90_000)
  if (/mount: .*permission denied/.test(log)) context.skip(`mounts are not allowed here: ${log}`)
  expect(log).toContain('the hub listens')
  expect(await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()).toEqual({ ready: true })
  expect(readFileSync(`/proc/${child.pid}/status`, 'utf8')).toMatch(new RegExp(`^Uid:\\s+${uid}\\s+${uid}\\s`, 'm'))
  expect(lstatSync(join(root, 'var/lib/claude-net/hub.db')).uid).toBe(Number(uid))
  child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
})

function stop(child: ChildProcess): void {
  if (child.exitCode === null) child.kill('SIGKILL')
}
