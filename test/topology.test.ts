import { spawn } from 'node:child_process'
import { appendFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startHub, type TestHub } from './support/hub.ts'
import { type McpSession, TestMachine } from './support/machine.ts'
import { namespaces } from './support/namespaces.ts'
import { findTool, Newcomer } from './support/newcomer.ts'
import { machineNode, program } from './support/program.ts'
import { type Sshd, sshProcesses, startSshd } from './support/sshd.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

// The tests wait for ssh to notice silence, or for many processes to start, which takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000 })

/** Addresses: the hub's host and its container, as LXC assigns them; ovh5, which reaches that host; a laptop, which reaches ovh5. */
const at = {
  bridge: '10.0.3.1',
  container: '10.0.3.57',
  hubFromOvh5: '172.31.7.1',
  ovh5FromHub: '172.31.7.5',
  ovh5: '198.51.100.5',
  laptop: '198.51.100.9',
}

test('a laptop that reaches only the sshd of ovh5, and a container at the bridge, exchange messages', async context => {
  if (!findTool('curl')) context.skip('the join line needs curl, which is not installed here')
  const { hubHost, container, ovh5, laptop } = namespaces(context, [
    ['hubHost', at.bridge, 'container', at.container],
    ['hubHost', at.hubFromOvh5, 'ovh5', at.ovh5FromHub],
    ['ovh5', at.ovh5, 'laptop', at.laptop],
  ])
  const hub = await startHub({ port: 3500, config: { host: '0.0.0.0' }, wrapper: hubHost })
  const hubSshd = await startSshd(context, { port: 22, address: at.hubFromOvh5, wrapper: hubHost })
  const ovh5Sshd = await startSshd(context, { port: 22, address: at.ovh5, wrapper: ovh5 })
  await startRelay(hub, hubSshd, ovh5)

  const admin = new Newcomer(hub, hubHost)
  const joined = async (name: string, wrapper: string[], options: string, tools: [string, string][] = []) => {
    const newcomer = new Newcomer(hub, wrapper)
    for (const [tool, path] of tools) symlinkSync(path, join(newcomer.tools, tool))
    const invited = await admin.sh(`node ${program} invite ${name} ${options} --data ${hub.dataDir}`)
    const [line] = /^ {2}.* \| sh$/m.exec(invited.stdout)!
    const ran = await newcomer.sh(`${line} -s -- --no-claude --bin ${newcomer.bin}`)
    expect([ran.code, ran.stdout]).toEqual([0, expect.stringMatching(/^ok +token +the hub knows this machine/m)])
    return { newcomer, line: line!.trim() }
  }
  const chas = await joined('chasclaude', container, '')
  const { newcomer: onLaptop, line } = await joined('laptopclaude', laptop, '--via ovh5', [
    ['ssh', join(ovh5Sshd.tools, 'ssh')],
  ])
  onTestFinished(() => {
    for (const { pid } of sshProcesses(join(onLaptop.home, 'run'))) process.kill(pid, 'SIGKILL')
  })
  expect(line).toMatch(
    /^printf .*"https:\/\/localhost:3500\/join\/[0-9A-Z-]+\?via=ovh5"' .*\| ssh .* ovh5 'curl .*' \| sh$/,
  )
  writeFileSync(join(onLaptop.home, 'config.json'), '{"machine":"laptopclaude","sshHost":"ovh5"}')

  expect(await onLaptop.run('send chasclaude "from the laptop, by command"')).toMatchObject({ code: 0, stderr: '' })
  const laptopSession = await session('laptopclaude', onLaptop, laptop)
  const chasSession = await session('chasclaude', chas.newcomer, container)
  await laptopSession.call('send', { to: 'chasclaude', message: 'from the laptop, by tool' })
  const read = await chasSession.call('inbox', { ack: true })
  expect(read.text).toMatch(/> from the laptop, by command\n(.*\n)*> from the laptop, by tool\n/)
  await chasSession.call('send', { to: 'laptopclaude', message: 'to the laptop' })
  expect((await laptopSession.call('inbox', { ack: true })).text).toContain('> to the laptop')
  expect((await onLaptop.run('machines')).stdout).toMatch(/^chasclaude +machine +online/m)
  // The hub sees the loopback address of ovh5, so only the token identifies the laptop.
  expect((await laptopSession.call('machines')).text).toContain('You are laptopclaude')
  expect(sshProcesses(join(onLaptop.home, 'run'))).toHaveLength(1)
})

/** Installs the relay on ovh5 into a tree of its own, and runs the command of its unit. */
async function startRelay(hub: TestHub, hubSshd: Sshd, ovh5: string[]): Promise<void> {
  const root = tempDir('relay')
  const onOvh5 = new Newcomer(hub, ovh5)
  for (const tool of ['ssh', 'ssh-keygen']) symlinkSync(findTool(tool)!, join(onOvh5.tools, tool))
  const installed = await onOvh5.sh(
    `node ${program} install-relay root@${at.hubFromOvh5} --known-hosts ${hubSshd.knownHosts} --root ${root} --json`,
  )
  expect(installed).toMatchObject({ code: 0, stderr: '' })
  const { authorizedKey } = JSON.parse(installed.stdout) as { authorizedKey: string }
  appendFileSync(hubSshd.authorizedKeys, `${authorizedKey}\n`)

  const unit = readFileSync(join(root, 'etc/systemd/system/claude-net-relay.service'), 'utf8')
  const [, line] = /^ExecStart=(.*)$/m.exec(unit)!
  const inTree = line!
    // biome-ignore lint/suspicious/noTemplateCurlyInString: systemd's own syntax
    .replace('${CREDENTIALS_DIRECTORY}', '/etc/claude-net-relay')
    .replaceAll('/etc/claude-net-relay', join(root, 'etc/claude-net-relay'))
  const [command, ...args] = [...ovh5, ...inTree.split(' ')]
  const relay = spawn(command!, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  onTestFinished(() => void relay.kill('SIGKILL'))
  const healthy = async () => (await onOvh5.sh('curl -fsS localhost:3500/healthz')).code === 0
  await until('the hub to answer on ovh5', healthy)
}

function session(name: string, { userHome, tools }: Newcomer, wrapper: string[]): Promise<McpSession> {
  return new TestMachine(name, userHome).mcp({ PATH: `${tools}:${process.env.PATH}` }, [...wrapper, machineNode])
}
