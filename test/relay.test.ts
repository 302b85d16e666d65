import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { findTool } from './support/newcomer.ts'
import { machineNode, run } from './support/program.ts'
import { makeKey } from './support/sshd.ts'
import { tempDir } from './support/temp.ts'

/** Creates an admin whose ssh configuration contains the hub's host, with an alias and its key. */
function anAdmin(context: TestContext) {
  if (!findTool('ssh-keygen')) context.skip('a relay needs ssh of openssh-client, which is not installed here')
  const dir = tempDir('admin')
  makeKey(join(dir, 'host_key'))
  const [type, key] = readFileSync(join(dir, 'host_key.pub'), 'utf8').split(' ')
  const hostKey = `[hub.example.com]:2222 ${type} ${key}\n`
  writeFileSync(join(dir, 'known_hosts'), `${hostKey}other.example.com ${type} ${key}\n`)
  writeFileSync(
    join(dir, 'config'),
    `Host hubhost\n  HostName hub.example.com\n  Port 2222\n  User relay\nHost behind\n  ProxyJump hubhost\nHost *\n  UserKnownHostsFile ${dir}/known_hosts\n`,
  )
  mkdirSync(join(dir, 'tools'))
  writeFileSync(join(dir, 'tools', 'ssh'), `#!/bin/sh\nexec ${findTool('ssh')} -F ${dir}/config "$@"\n`, {
    mode: 0o755,
  })
  const env = { PATH: `${dir}/tools:${process.env.PATH}` }
  const root = join(dir, 'root')
  return { root, hostKey, run: (...args: string[]) => run(['install-relay', ...args], { env, node: machineNode }) }
}

const unitFile = 'etc/systemd/system/claude-net-relay.service'

test('into a tree: the unit, its user, the host key from known_hosts, and a key that a second run keeps', async context => {
  const { root, hostKey, run } = anAdmin(context)
  const first = await run('hubhost', '--root', root, '--json')
  expect(first).toMatchObject({ code: 0, stderr: '' })
  const told = JSON.parse(first.stdout)
  expect(told).toMatchObject({ target: { host: 'hub.example.com', user: 'relay', port: 2222 }, steps: [] })
  const keys = join(root, 'etc/claude-net-relay')
  expect(readFileSync(join(keys, 'known_hosts'), 'utf8')).toBe(hostKey)
  expect(statSync(join(keys, 'id_ed25519')).mode & 0o777).toBe(0o600)
  const publicKey = readFileSync(join(keys, 'id_ed25519.pub'), 'utf8').trim()
  expect(told.authorizedKey).toBe(`restrict,port-forwarding,permitopen="localhost:3500",command="false" ${publicKey}`)
  const unit = readFileSync(join(root, unitFile), 'utf8')
  expect(unit).toMatch(/^ExecStart=\/\S*\/ssh -F .* -p 2222 -l relay -L 3500:localhost:3500 -- hub\.example\.com$/m)

  const second = await run('hubhost', '--root', root)
  expect([second.code, second.stdout]).toEqual([0, expect.stringContaining(publicKey)])
  expect(readFileSync(join(root, unitFile), 'utf8')).toBe(unit)
})

test('systemd accepts the unit, which gives ssh no unneeded rights', async context => {
  if (!findTool('systemd-analyze')) context.skip('systemd is not installed here')
  const { root, run } = anAdmin(context)
  expect(await run('hubhost', '--root', root)).toMatchObject({ code: 0 })
  const analyze = (...args: string[]) =>
    execFileSync(findTool('systemd-analyze')!, [...args, join(root, unitFile)], { encoding: 'utf8', stdio: 'pipe' })
  expect(analyze('verify')).toBe('')
  // Exits with an error if the exposure exceeds 1.5 of 10; a unit without restrictions has 9.2.
  analyze('security', '--offline=true', '--threshold=15')
})

test('a dry run prints everything and changes nothing', async context => {
  const { root, run } = anAdmin(context)
  const { code, stdout } = await run('hubhost', '--root', root, '--dry-run')
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/would write .*relay\.service \(0644\)\n(.*\n)* {4}ExecStart=/),
  ])
  expect(existsSync(root)).toBe(false)
})

test.for([
  ['an unknown host key', ['stranger.invalid'], 1, 'The host key of stranger.invalid is not known here.'],
  ['a host behind another', ['behind'], 1, 'by way of another host'],
  ['an option for a host', ['--', '-oProxyCommand=x'], 2, 'a host for ssh is HOST or USER@HOST'],
] as const)('%s is refused, and nothing is written', async ([, args, status, why], context) => {
  const { root, run } = anAdmin(context)
  const { code, stderr } = await run('--root', root, ...args)
  expect([code, stderr]).toEqual([status, expect.stringContaining(why)])
  expect(existsSync(root) && readdirSync(root)).toBe(false)
})
