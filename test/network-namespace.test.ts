import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startHub } from './support/hub.ts'
import { TestMachine } from './support/machine.ts'
import { namespaces } from './support/namespaces.ts'
import { findTool, Newcomer } from './support/newcomer.ts'
import { machineNode, program } from './support/program.ts'

/** The host's address on its bridge, and one of a container behind it, as LXC assigns them. */
const [hostAddress, containerAddress] = ['10.0.3.1', '10.0.3.57']

test('a container whose config names only the machine and "local" reaches the hub at the bridge, by tools and commands', async context => {
  const { host, container } = namespaces(context, [['host', hostAddress, 'container', containerAddress]])
  if (!findTool('curl')) context.skip('the join line needs curl, which is not installed here')
  const hub = await startHub({ port: 3500, config: { host: '0.0.0.0' }, wrapper: host })

  const admin = new Newcomer(hub, host)
  const joined = async (name: string, wrapper: string[]) => {
    const invited = await admin.sh(`node ${program} invite ${name} --data ${hub.dataDir}`)
    const [line] = /printf .* \| sh$/m.exec(invited.stdout)!
    expect(line).toMatch(
      /^printf '%s\\n' 'url="https:\/\/10\.0\.3\.1:3500\/join\/[0-9A-Z-]+"' .*\| curl -fsS -K - \| sh$/,
    )
    const newcomer = new Newcomer(hub, wrapper)
    expect(await newcomer.sh(`${line} -s -- --no-claude --bin ${newcomer.bin}`)).toMatchObject({ code: 0, stderr: '' })
    writeFileSync(join(newcomer.home, 'config.json'), JSON.stringify({ machine: name, sshHost: 'local' }))
    const session = await new TestMachine(name, newcomer.userHome).mcp({}, [...wrapper, machineNode])
    return { newcomer, session }
  }
  const chas = await joined('chasclaude', container)
  const manager = await joined('managerclaude', host)
  const config = readFileSync(join(chas.newcomer.home, 'config.json'), 'utf8')
  expect(config).toBe('{"machine":"chasclaude","sshHost":"local"}')

  expect(await chas.newcomer.run('send managerclaude "by command"')).toMatchObject({ code: 0 })
  expect(await chas.session.call('send', { to: 'managerclaude', message: 'by tool' })).toMatchObject({ isError: false })
  expect((await manager.session.call('inbox')).text).toMatch(/> by command\n(.*\n)*> by tool\n/)

  await manager.session.call('send', { to: 'all', message: 'to every container' })
  expect((await chas.newcomer.run('inbox')).stdout).toContain('> to every container')
  expect((await chas.session.call('inbox', { ack: true })).text).toContain('> to every container')
  expect((await chas.session.call('machines')).text).toContain('You are chasclaude; 0 unread.')
  expect((await chas.newcomer.run('doctor')).stdout).toContain('ok    hub      http://10.0.3.1:3500, version ')
})
