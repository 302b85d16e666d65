import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { EtcdCluster } from './support/etcd.ts'
import type { TestHub } from './support/hub.ts'
import { TestMachine } from './support/machine.ts'
import { ManyHubs } from './support/many-hubs.ts'
import { cleanEnv, machineNode, program } from './support/program.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'
import { describeWithEtcd } from './support/with-etcd.ts'

const configOf = (machine: TestMachine) => JSON.parse(readFileSync(join(machine.home, 'config.json'), 'utf8'))

/** Joins a new machine at `hub` with the `join` command. */
async function joined(hub: TestHub, name: string): Promise<TestMachine> {
  const machine = new TestMachine(name, tempDir(name))
  const { code } = await hub.client(hub.adminToken).call(api.invite, { body: { name } })
  const args = [hub.tlsOrigin, '--machine', name, '--code', code, '--hub-key', hub.hubKey]
  const ran = await machine.run(['join', ...args, '--no-claude', '--bin', join(machine.userHome, 'bin')])
  expect(ran.code, ran.stdout + ran.stderr).toBe(0)
  return machine
}

/** Returns the texts in the inbox of `name`, read with its token at `hub`, without acking. */
async function bodiesAt(hub: TestHub, token: string): Promise<string[]> {
  const { messages } = await hub.client(token).call(api.readInbox)
  return messages.map(({ body }) => body)
}

describeWithEtcd('a machine of three hubs', () => {
  let cluster: EtcdCluster
  beforeAll(async () => {
    cluster = await EtcdCluster.start(3)
  })
  afterAll(() => cluster[Symbol.asyncDispose]())

  test('sessions and commands continue when its hub is killed and the next one is stopped; nothing is lost or repeated', {
    timeout: 120_000,
  }, async () => {
    const { hubs } = await ManyHubs.start(cluster)
    const [one, two, three] = hubs as [TestHub, TestHub, TestHub]
    await until('every hub is announced', async () => {
      const { hubs: told } = await one.client(one.adminToken).call(api.listHubs)
      return told.filter(({ url }) => url !== null).length === 3
    })
    const ben = await one.join('ben')
    const ana = await joined(one, 'ana')
    const { hubs: others, hub: own } = configOf(ana)
    expect(others.map(({ hubKey }: { hubKey: string }) => hubKey).toSorted()).toEqual(
      [two.hubKey, three.hubKey].toSorted(),
    )

    const session = await ana.mcp()
    const watching = spawn(machineNode, [program, 'watch', '--json'], { env: cleanEnv(ana.env) })
    onTestFinished(() => void watching.kill('SIGKILL'))
    let seen = ''
    watching.stdout.setEncoding('utf8').on('data', text => (seen += text))
    const heard = (body: string) => until(`the event of ${body}`, () => seen.includes(body))
    const sendAt = (hub: TestHub, body: string) =>
      hub.client(ben.token).call(api.sendMessage, { body: { to: 'ana', body } })
    const send = async (message: string) =>
      expect((await session.call('send', { to: 'ben', message })).text).toMatch(/^Stored for ben/)
    await send('before')
    const [first] = [(await sendAt(two, 'to ana, before')).id]
    await heard(first)

    await one.stop('SIGKILL')
    await send('after a kill')
    const cli = await ana.run(['send', 'ben', 'by the command after a kill'])
    expect([cli.code, cli.stderr]).toEqual([0, ''])
    await heard((await sendAt(three, 'to ana, after a kill')).id)
    expect((await session.call('inbox')).text).toContain('to ana, after a kill')

    // The hub that ana uses now still accepts connections, but does not respond.
    const at = JSON.parse(readFileSync(join(ana.home, 'run', 'hubs.json'), 'utf8')).at as string
    const stopped = [two, three].find(({ port }) => at.endsWith(`:${port}`))!
    const last = stopped === two ? three : two
    process.kill(stopped.pid, 'SIGSTOP')
    try {
      await send('after a stop')
      expect(await ana.run(['send', 'ben', 'by the command after a stop'])).toMatchObject({ code: 0, stderr: '' })
      await heard((await sendAt(last, 'to ana, after a stop')).id)
      const doctor = await ana.run(['doctor', '--json'])
      const lines = JSON.parse(doctor.stdout).checks.filter(({ link }: { link: string }) => link === 'hub')
      expect(lines).toHaveLength(3)
      expect(lines.map(({ state }: { state: string }) => state).toSorted()).toEqual(['ok', 'warning', 'warning'])
      expect(lines[0].found).toContain(last.tlsOrigin)
    } finally {
      process.kill(stopped.pid, 'SIGCONT')
    }
    expect(await bodiesAt(last, ben.token)).toEqual([
      'before',
      'after a kill',
      'by the command after a kill',
      'after a stop',
      'by the command after a stop',
    ])
    // The hub in its configuration does not change.
    expect(configOf(ana).hub).toBe(own)
    const events = seen.split('\n').filter(line => line.includes('"inbox"'))
    expect(events.length).toBe(3)
  })

  test('a machine whose other hubs have another key, or do not respond, sends no token there, and continues', async () => {
    const { hubs } = await ManyHubs.start(cluster, 2)
    const [one, two] = hubs as [TestHub, TestHub]
    const ana = await joined(one, 'ana')
    await one.join('ben')
    const token = readFileSync(join(ana.home, 'token'), 'utf8').trim()
    let came = ''
    const silent = createServer(socket =>
      socket.on('data', data => (came += data.toString('latin1'))).on('error', () => {}),
    )
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    onTestFinished(() => void silent.close())
    const hole = `https://127.0.0.1:${(silent.address() as { port: number }).port}`
    const config = configOf(ana)
    const wrong = `sha256//${Buffer.alloc(32, 7).toString('base64')}`
    const entries = [
      { hub: hole, hubKey: wrong },
      { hub: two.tlsOrigin, hubKey: wrong.replace('B', 'C') },
      { hub: `${two.tlsOrigin.replace('127.0.0.1', 'localhost')}`, hubKey: two.hubKey },
      { hub: two.url.origin },
    ]
    writeFileSync(join(ana.home, 'config.json'), JSON.stringify({ ...config, hubs: entries }))
    await one.stop('SIGKILL')
    const ran = await ana.run(['send', 'ben', 'past two that are none'])
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('Stored for ben') })
    expect(came).not.toContain(token)
    const doctor = await ana.run(['doctor'])
    expect(doctor.stdout).toMatch(/note {2}config +hubs\.3: it has no hubKey, so it is left out/)
    expect(doctor.stdout).toMatch(/note {2}hub +The server at .* is not the hub of this machine/)
  })
})
