import { expect, test, vi } from 'vitest'
import { api } from '../src/protocol/api.ts'
import type { TestHub } from './support/hub.ts'
import { type Laptop, makeLaptop, startLaptop } from './support/laptop.ts'
import { until } from './support/until.ts'

// The tests wait for ssh to notice silence, or for many processes to start, which takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000 })

/** Long enough for the hub to miss three heartbeats, and for ssh to miss three responses, on a busy machine too. */
const silenceMs = 60_000

async function isOnline(hub: TestHub, machine = 'laptopclaude'): Promise<boolean> {
  const { members } = await hub.client(hub.adminToken).call(api.listMembers)
  return members.find(({ name }) => name === machine)!.online
}

/** Returns the bodies in an inbox, in order. */
async function bodies(hub: TestHub, token: string): Promise<string[]> {
  const { messages } = await hub.client(token).call(api.readInbox)
  return messages.map(({ body }) => body)
}

async function settled(laptop: Laptop): Promise<void> {
  await until('one ssh', () => laptop.ssh.length === 1, silenceMs)
}

test('sshd is killed during 50 sends and stays down for a while: nothing is lost or repeated, and the order is kept', async context => {
  const { hub, sshd, laptop } = await startLaptop(context)
  const chas = await hub.join('chasclaude')
  const session = await laptop.mcp()
  const texts = Array.from({ length: 50 }, (_, n) => `number ${n}`)
  const sends = texts.map((message, n) => session.call('send', { to: 'chasclaude', message }, `toolu_${n}`))
  await sends[9]
  await sshd.kill()
  const answers = await Promise.all(sends)
  expect(answers.filter(({ isError }) => isError)).toEqual([])
  expect(answers.at(-1)!.text).toMatch(/^Kept on this machine/)
  const before = await bodies(hub, chas.token)
  expect(before).toEqual(texts.slice(0, before.length))

  await sshd.start()
  await until('all of them', async () => (await bodies(hub, chas.token)).length >= 50, silenceMs)
  expect(await bodies(hub, chas.token)).toEqual(texts)
  await settled(laptop)
})

test('a peer that is frozen longer than the keepalive is offline, then online again, and its stream continues without a gap', async context => {
  const { hub, sshd, laptop } = await startLaptop(context)
  const chas = await hub.join('chasclaude')
  const sent: string[] = []
  const send = async (body: string) => {
    sent.push((await chas.client.call(api.sendMessage, { body: { to: 'laptopclaude', body, intent: 'inform' } })).id)
  }
  const session = await laptop.mcp()
  await until('the laptop to be online', () => isOnline(hub))
  const watch = laptop.start('watch')
  await send('one')
  await until('the first event', () => watch.stdout.includes('1 unread'))

  const [first] = laptop.ssh
  sshd.freeze()
  await send('two')
  await until('the laptop to be offline', async () => !(await isOnline(hub)), silenceMs)
  await until('ssh to give up', () => laptop.ssh.every(ssh => ssh.pid !== first!.pid), silenceMs)
  await send('three')
  sshd.thaw()
  await until('the laptop to be online again', () => isOnline(hub), silenceMs)
  await until('the rest of the events', () => watch.stdout.includes(sent.at(-1)!), silenceMs)
  expect([...watch.stdout.matchAll(/unread · (\S+)/g)].map(([, id]) => id)).toEqual(sent)
  expect((await session.call('inbox')).text).toMatch(/> one\n(.*\n)*> two\n(.*\n)*> three\n/)
  await settled(laptop)
})

test('a suspended session is online at once when it resumes, over a new connection if the old one is dead', async context => {
  const { hub, sshd, laptop } = await startLaptop(context)
  const server = await makeLaptop(hub, sshd, 'serclaude')
  const [onLaptop, onServer] = await Promise.all([laptop.mcp(), server.mcp()])
  await until('both to be online', async () => (await isOnline(hub)) && (await isOnline(hub, 'serclaude')))
  await Promise.all([settled(laptop), settled(server)])
  const { pid } = server.ssh[0]!
  // Stops the laptop's session alone, and the other machine's session with its ssh, whose connection is dead when the session resumes.
  for (const each of [onLaptop.pid, onServer.pid, pid]) process.kill(each, 'SIGSTOP')
  const isOffline = async () => !((await isOnline(hub)) || (await isOnline(hub, 'serclaude')))
  await until('both to be offline', isOffline, silenceMs)
  for (const each of [onLaptop.pid, onServer.pid]) process.kill(each, 'SIGCONT')
  const isBack = async () => (await isOnline(hub)) && (await isOnline(hub, 'serclaude'))
  await until('both to be online again', isBack, silenceMs)
  expect((await onLaptop.call('inbox')).isError).toBe(false)
  expect((await onServer.call('inbox')).isError).toBe(false)
  expect(sshd.logins).toBe(3)
  await Promise.all([settled(laptop), settled(server)])
  expect(server.ssh[0]!.pid).not.toBe(pid)
})
