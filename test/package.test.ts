import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { thirdParty } from '../third-party.ts'
import { findTool } from './support/newcomer.ts'
import { cleanEnv, hubNode, machineNode } from './support/program.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

const exec = promisify(execFile)
const slow = { timeout: 300_000 }

/** A copy of this checkout, in which `npm pack` ran, and the prefixes into which its package was installed: by Node 24, and by Node 20. */
const checkout = mkdtempSync(join(tmpdir(), 'claude-net-pack-'))
const prefix = mkdtempSync(join(tmpdir(), 'claude-net-prefix-'))
const olderPrefix = mkdtempSync(join(tmpdir(), 'claude-net-prefix-'))
const installed = join(prefix, 'lib/node_modules/claude-net')

/** Runs npm without a network, with `node` first on the PATH, since packing needs the Node of the checkout. */
async function npm(node: string, ...args: string[]): Promise<string> {
  const bin = join(checkout, 'bin')
  mkdirSync(bin, { recursive: true })
  rmSync(join(bin, 'node'), { force: true })
  symlinkSync(node, join(bin, 'node'))
  const env = {
    ...cleanEnv(),
    PATH: `${bin}:${process.env.PATH}`,
    HOME: checkout,
    npm_config_cache: join(checkout, '.npm'),
  }
  const { stdout } = await exec('npm', ['--offline', '--no-audit', '--no-fund', ...args], { cwd: checkout, env })
  return stdout
}

beforeAll(async () => {
  const files = [
    'src',
    'docs',
    'deploy',
    'examples',
    'build.ts',
    'console-build.ts',
    'third-party.ts',
    'vite.config.ts',
    'package-lock.json',
    'pack.ts',
    'install.sh',
    'package.json',
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
  ]
  for (const name of files) cpSync(name, join(checkout, name), { recursive: true })
  symlinkSync(resolve('node_modules'), join(checkout, 'node_modules'))
  const before = readFileSync('package.json', 'utf8')
  await npm(hubNode, 'pack')
  expect(readFileSync(join(checkout, 'package.json'), 'utf8')).toBe(before)
  const [tarball] = readdirSync(checkout).filter(name => name.endsWith('.tgz'))
  for (const [node, into] of [
    [hubNode, prefix],
    [machineNode, olderPrefix],
  ] as const)
    await npm(node, 'install', '--global', '--ignore-scripts', '--prefix', into, join(checkout, tarball!))
}, 300_000)

afterAll(() => {
  for (const dir of [checkout, prefix, olderPrefix]) rmSync(dir, { recursive: true, force: true })
})

test('the package has no dependencies and runs nothing when it is installed', () => {
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  for (const key of ['dependencies', 'optionalDependencies', 'devDependencies', 'scripts', 'private'])
    expect(manifest).not.toHaveProperty(key)
  expect(manifest.engines).toEqual({ node: '>=20' })
  for (const into of [prefix, olderPrefix])
    expect(readFileSync(join(into, 'share/man/man1/claude-net.1'), 'utf8')).toMatch(/^\.TH CLAUDE/)
  expect(readdirSync(dirname(installed))).toEqual(['claude-net'])
  expect(statSync(join(installed, 'install.sh')).mode & 0o111).not.toBe(0)
})

test('the package lists its libraries with their licences, and an unknown licence is refused', () => {
  const listed = readFileSync(join(installed, 'dist/THIRD-PARTY.txt'), 'utf8')
  // Libraries of the machine's side, the hub, its lazily loaded parts, and the console.
  for (const name of ['commander', 'fastify', 'grammy', 'preact'])
    expect(listed).toMatch(new RegExp(`^${name} \\d\\S* \\(MIT\\)\n\n[\\s\\S]*?Copyright`, 'm'))
  expect(listed).not.toMatch(/^(?:vitest|typescript|esbuild) /m)

  const other = join(tempDir('libraries'), 'node_modules/@acme/other')
  mkdirSync(other, { recursive: true })
  writeFileSync(join(other, 'package.json'), '{"name":"@acme/other","version":"1.0.0","license":"SSPL-1.0"}')
  expect(() => thirdParty([join(other, 'lib/index.js')])).toThrow(/@acme\/other 1\.0\.0 has the licence "SSPL-1\.0"/)
})

test.each([
  ['20', machineNode, olderPrefix],
  ['24', hubNode, prefix],
])('installed without scripts on Node %s it prints its help and serves a session', slow, async (_, node, into) => {
  const bin = tempDir('bin')
  symlinkSync(node, join(bin, 'node'))
  const env = cleanEnv({ PATH: `${bin}:${process.env.PATH}`, HOME: tempDir('home') })
  const command = join(into, 'bin/claude-net')
  const { stdout } = await exec(command, ['--help'], { env })
  expect(stdout).toMatch(/^Usage: claude-net \[options\] \[command\]\n/)
  for (const word of ['send', 'join', 'install-service', 'completion']) expect(stdout).toContain(`  ${word} `)

  const client = new Client({ name: 'package-test', version: '1' })
  const transport = new StdioClientTransport({ command, args: ['mcp'], env, stderr: 'ignore' })
  onTestFinished(() => client.close())
  await client.connect(transport)
  expect(client.getServerVersion()?.name).toBe('claude-net')
  const { tools } = await client.listTools()
  expect(tools.map(({ name }) => name).sort()).toEqual(['claude_net_inbox', 'claude_net_machines', 'claude_net_send'])
})

test(
  "installed into an empty prefix it works as a machine on the system's Node, and as a hub on Node 24",
  slow,
  async () => {
    const command = join(prefix, 'bin/claude-net')
    const userHome = tempDir('home')
    const data = join(tempDir('data'), 'data')
    const environment = (node: string) => {
      const bin = tempDir('bin')
      symlinkSync(node, join(bin, 'node'))
      return cleanEnv({ PATH: `${bin}:${process.env.PATH}`, HOME: userHome })
    }
    const asMachine = environment(machineNode)
    const run = async (...args: string[]) => (await exec(command, args, { env: asMachine })).stdout
    expect(JSON.parse(await run('version', '--json')).node).toBe(
      execFileSync(machineNode, ['--version'], { encoding: 'utf8' }).trim(),
    )

    const hub = spawn(command, ['hub', '--host', '127.0.0.1', '--port', '0', '--data', data], {
      env: environment(hubNode),
      stdio: 'ignore',
    })
    onTestFinished(async () => {
      if (hub.exitCode === null && hub.kill()) await once(hub, 'exit')
    })
    const url = await until(
      'the hub listens',
      () => {
        try {
          return readFileSync(join(data, 'hub.url'), 'utf8').trim()
        } catch {
          return undefined
        }
      },
      90_000,
    )
    const { code } = JSON.parse(await run('invite', 'seanclaude', '--data', data, '--json'))
    await run('join', url, '--machine', 'seanclaude', '--code', code, '--no-claude', '--bin', join(userHome, 'bin'))
    await run('send', 'seanclaude', 'to myself')
    expect(await run('inbox', '--ack')).toContain('> to myself')
    expect(await run('status', '--data', data)).toMatch(/^Ready +yes/m)
  },
)

test('the service can be installed from the package', slow, async context => {
  for (const tool of ['systemctl', 'systemd-sysusers'])
    if (!findTool(tool)) context.skip(`the service needs ${tool} of systemd, not installed here`)
  const root = tempDir('root')
  // Not the default port 3500, which may be taken on this system.
  const { stdout } = await exec(join(installed, 'install.sh'), ['--root', root, '--port', '0', '--node', hubNode], {
    env: cleanEnv({ PATH: `${dirname(hubNode)}:${process.env.PATH}` }),
  })
  expect(stdout).toMatch(/is installed there, and starts with that system\.\n$/)
})

const dockerfile = readFileSync('deploy/Dockerfile', 'utf8').replaceAll(/\\\n\s*/g, '')
const compose = readFileSync('deploy/compose.yaml', 'utf8')

test('the container image is pinned to a release line, built from the lock file, and runs without root and without a shell', () => {
  const lines = dockerfile.split('\n').filter(line => /^[A-Z]+ /.test(line))
  const of = (name: string) =>
    lines.filter(line => line.startsWith(`${name} `)).map(line => line.slice(name.length + 1))
  expect(lines[0]).toMatch(/^FROM /)
  for (const image of of('FROM')) expect(image).toMatch(/^node:24-[a-z-]+( AS build)?$/)
  expect(of('RUN').join('\n')).toContain('npm ci')
  expect(of('ADD')).toEqual([])
  expect(of('USER').at(-1)).toMatch(/^[1-9]\d*:[1-9]\d*$/)
  for (const name of ['ENTRYPOINT', 'CMD']) expect(JSON.parse(of(name).at(-1)!)).toBeInstanceOf(Array)
  expect(of('HEALTHCHECK')[0]).toMatch(/CMD \[.*readyz/)
  // The image may contain only what .dockerignore lists, and each entry must exist.
  const [, ...included] = readFileSync('.dockerignore', 'utf8').trim().split('\n')
  for (const name of included) expect(() => statSync(name.slice(1)), name).not.toThrow()
})

test('the compose file drops all privileges and makes only /data writable', () => {
  for (const line of ['read_only: true', 'no-new-privileges:true', 'restart: unless-stopped', 'data:/data'])
    expect(compose).toContain(line)
  expect(compose).toMatch(/cap_drop:\n\s+- ALL\n/)
  expect(compose).not.toMatch(/privileged|network_mode|pid: host|\t/)
  const [, path] = /dockerfile: (\S+)/.exec(compose)!
  expect(statSync(path!).isFile()).toBe(true)
})

test('the command of the image runs with a read-only root, as a user without a name', slow, async context => {
  if (process.getuid?.() !== 0) context.skip('only root can run it as another user')
  const [unshare, setpriv] = [findTool('unshare'), findTool('setpriv')]
  if (!unshare || !setpriv) context.skip('unshare and setpriv of util-linux are not installed here')
  const [entrypoint, command] = ['ENTRYPOINT', 'CMD'].map(
    name => JSON.parse(new RegExp(`^${name} (.*)$`, 'm').exec(dockerfile)![1]!) as string[],
  ) as [string[], string[]]
  const [, uid] = /^USER (\d+):/m.exec(dockerfile)!
  const data = tempDir('data')
  const [, ...arguments_] = [...entrypoint, ...command].map(word =>
    word.replace('/opt/claude-net', join(installed, 'dist')).replace(/^\/data$/, data),
  )
  // By default, only the owner may read the prefix, but the hub runs as the user of the image.
  const script = `set -e
    mount --bind "$1" "$1"; mount -o remount,bind,ro /
    cd "$1"; exec ${setpriv} --reuid=${uid} --regid=${uid} --clear-groups --no-new-privs ${hubNode} ${arguments_.join(' ')} --host 127.0.0.1 --port 0`
  execFileSync('chown', [uid!, data])
  execFileSync('chmod', ['755', prefix])
  const hub = spawn(unshare!, ['--mount', 'sh', '-c', script, 'image', data], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(async () => {
    if (hub.exitCode === null && hub.kill()) await once(hub, 'exit')
  })
  let log = ''
  for (const stream of [hub.stdout, hub.stderr]) stream.setEncoding('utf8').on('data', text => (log += text))
  await until('it listens', () => log.includes('the hub listens') || hub.exitCode !== null, 120_000)
  if (/mount: .*permission denied/.test(log)) context.skip(`mounts are not allowed here: ${log}`)
  expect(log).toContain('the hub listens')
})
