import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, type TestContext, test, vi } from 'vitest'
import { findTool, Newcomer, readJson } from './support/newcomer.ts'
import { machineNode, run } from './support/program.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { restricted, sshProcesses, startSshd } from './support/sshd.ts'

const hubAlone = emptiedHub()

// The tests wait for ssh to notice silence, or for many processes to start, which takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000 })

/** Creates a laptop with Node and ssh, but without curl, that has never connected to the hub; and the line that joins it. */
async function newLaptop(context: TestContext) {
  if (!findTool('curl')) context.skip('the join line needs curl on the far side, which is not installed here')
  const sshd = await startSshd(context)
  const hub = await hubAlone()
  const laptop = new Newcomer(hub)
  rmSync(join(laptop.tools, 'curl'))
  symlinkSync(join(sshd.tools, 'ssh'), join(laptop.tools, 'ssh'))
  onTestFinished(() => {
    for (const { pid } of sshProcesses(join(laptop.home, 'run'))) process.kill(pid, 'SIGKILL')
  })
  const at = `http://localhost:${hub.port}`
  const invited = await run(['invite', 'laptopclaude', '--via', 'ovh5', '--url', at, '--data', hub.dataDir, '--json'], {
    node: machineNode,
  })
  const { command } = JSON.parse(invited.stdout) as { command: string }
  return { hub, sshd, laptop, at, line: `${command} -s -- --no-claude --bin ${laptop.bin}` }
}

test('the line of an invitation joins a laptop that has only Node and ssh, whatever the remote host prints at login', async context => {
  const { hub, sshd, laptop, at, line } = await newLaptop(context)
  sshd.authorize('command="echo : Welcome to ovh5; eval \\"$SSH_ORIGINAL_COMMAND\\""')
  expect(line).toMatch(
    /^printf '%s\\n' 'url="https:\/\/localhost:\d+\/join\/[0-9A-Z-]+\?via=ovh5"' 'noproxy="\*"' 'proto="=https"' 'insecure' 'pinnedpubkey="\S+"' \| ssh -T -o RemoteCommand=none ovh5 'curl -fsS -K -' \| sh /,
  )
  const secure = at.replace('http:', 'https:')
  const { code, stdout } = await laptop.sh(line)
  expect([code, stdout]).toEqual([
    0,
    expect.stringContaining(`This machine is laptopclaude on the hub at ${secure} through ovh5.`),
  ])
  expect(stdout).toMatch(/^ok +ssh .*\nok +host .*\nok +key .*\nok +forward .*\nok +hub .*\nok +proof .*\nok +token /m)
  expect(readJson(join(laptop.home, 'config.json'))).toEqual({
    machine: 'laptopclaude',
    sshHost: 'ovh5',
    hub: secure,
    hubKey: hub.hubKey,
  })
  expect(readFileSync(join(laptop.home, 'claude-net.mjs'), 'utf8')).toBe(readFileSync('dist/claude-net.mjs', 'utf8'))

  // From now on, a key restricted to this forward is enough, and the machine can be set up again without a code.
  sshd.authorize(`${restricted(hub.port)},command="false"`)
  for (const { pid } of sshProcesses(join(laptop.home, 'run'))) process.kill(pid, 'SIGKILL')
  const again = await laptop.run(`join ssh:ovh5 --hub ${at} --machine laptopclaude --no-claude --bin ${laptop.bin}`)
  expect(again).toMatchObject({ code: 0, stderr: '' })
  expect(await laptop.run('inbox')).toMatchObject({ code: 0, stderr: '', stdout: 'No unread messages.\n' })
})

test('an obstacle to the forward is reported before the code is used, and the same line works after its removal', async context => {
  const { sshd, laptop, line } = await newLaptop(context)
  sshd.authorize(restricted(1))
  const refused = await laptop.sh(line)
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringMatching(
      /administratively prohibited(?:.|\s)*claude-net: The client could not be downloaded through ovh5\./,
    ),
  ])
  expect(existsSync(join(laptop.home, 'config.json'))).toBe(false)
  sshd.authorize()
  expect(await laptop.sh(line)).toMatchObject({ code: 0 })
})

test('a join script is not made for a host name that ssh could misinterpret', async () => {
  const hub = await hubAlone()
  const code = await new Newcomer(hub).invite()
  const ask = async (via: string) =>
    (await fetch(`${hub.url.origin}/join/${code}?via=${encodeURIComponent(via)}`)).status
  expect(await Promise.all(['ovh5', 'me@ovh5.example.com'].map(ask))).toEqual([200, 200])
  expect(await Promise.all(['-oProxyCommand=x', "a'b", 'a b', ';id', '$(id)', 'a\nb', 'local', ''].map(ask))).toEqual(
    Array(8).fill(400),
  )
})

test('joining again at an address removes the ssh host', async context => {
  const { hub, laptop, line } = await newLaptop(context)
  expect(await laptop.sh(line)).toMatchObject({ code: 0 })
  const file = join(laptop.home, 'config.json')
  writeFileSync(file, JSON.stringify({ ...readJson(file), ofALaterVersion: true }))
  const { code, stdout } = await laptop.run(
    `join ${hub.url.origin} --machine laptopclaude --no-claude --bin ${laptop.bin}`,
  )
  expect([code, stdout]).toEqual([0, expect.not.stringContaining('ovh5')])
  expect(readJson(file)).toMatchObject({ sshHost: 'local', hub: hub.url.origin, ofALaterVersion: true })
})
