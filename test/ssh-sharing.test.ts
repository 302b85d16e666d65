import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { startLaptop } from './support/laptop.ts'
import { cleanEnv, machineNode, program } from './support/program.ts'
import { until } from './support/until.ts'

// The tests wait for ssh to notice silence, or for many processes to start, which takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000 })

test("sessions and commands that start at once share one connection, whatever the user's ssh configuration says", async context => {
  const { hub, sshd, laptop } = await startLaptop(context)
  // A forward from the user's configuration that must fail: its port is taken.
  sshd.configureClient('ExitOnForwardFailure yes')
  const chas = await hub.join('chasclaude')
  const [first, second, ...sent] = await Promise.all([
    laptop.mcp(),
    laptop.mcp(),
    ...[1, 2, 3].map(n => laptop.run('send', 'chasclaude', `by command ${n}`)),
  ])
  expect(sent.map(({ code, stderr }) => [code, stderr])).toEqual(Array(3).fill([0, '']))
  for (const [n, session] of [first, second].entries()) {
    expect((await session.call('send', { to: 'chasclaude', message: `by session ${n}` })).isError).toBe(false)
  }
  expect((await second.call('machines')).text).toContain('You are laptopclaude')
  expect(laptop.ssh).toHaveLength(1)
  expect(sshd.logins).toBe(1)
  expect((await laptop.run('doctor')).stdout).toMatch(
    /^ok +config .*\nok +ssh +OpenSSH.*\nok +host +ovh5 answers\nok +key +ovh5 .*\nok +forward +ovh5 lets it on to localhost:\d+\nok +hub +http:\/\/localhost:\d+ through ovh5, version .*\nnote +proof .*\n +→ .*\nok +token .*\nok +clock /,
  )
  expect(sshd.logins).toBe(1)
  const { messages } = await chas.client.call(api.readInbox)
  expect(messages).toHaveLength(5)
})

test('it outlives the process that started it, and ends when it is no longer used, even after kill -9', async context => {
  const { sshd, laptop } = await startLaptop(context, { sshIdleS: 5 })
  const first = await laptop.mcp()
  await until('the connection of the first', () => sshd.logins === 1)
  expect((await first.call('inbox')).isError).toBe(false)
  const { pid } = laptop.ssh[0]!
  const second = await laptop.mcp()
  expect((await second.call('inbox')).isError).toBe(false)

  process.kill(first.pid, 'SIGKILL')
  expect((await second.call('inbox')).isError).toBe(false)
  expect(laptop.ssh.map(ssh => ssh.pid)).toEqual([pid])

  process.kill(second.pid, 'SIGKILL')
  await until('ssh to end', () => laptop.ssh.length === 0, 120_000)
  expect(sshd.logins).toBe(1)
})

test('successive commands share it, and a killed ssh is replaced by the next one', async context => {
  const { sshd, laptop } = await startLaptop(context, { sshIdleS: 20 })
  for (let time = 0; time < 3; time++) expect(await laptop.run('inbox')).toMatchObject({ code: 0, stderr: '' })
  expect(sshd.logins).toBe(1)
  for (const { pid } of laptop.ssh) process.kill(pid, 'SIGKILL')
  expect(await laptop.run('inbox')).toMatchObject({ code: 0, stderr: '' })
  expect([laptop.ssh.length, sshd.logins]).toEqual([1, 2])
})

test('a session replaces a killed ssh at once', async context => {
  const { sshd, laptop } = await startLaptop(context)
  const session = await laptop.mcp()
  expect((await session.call('inbox')).isError).toBe(false)
  await until('one ssh', () => laptop.ssh.length === 1)
  const { pid } = laptop.ssh[0]!
  process.kill(pid, 'SIGKILL')
  await until('another ssh', () => laptop.ssh.some(ssh => ssh.pid !== pid))
  expect((await session.call('inbox')).isError).toBe(false)
  expect([laptop.ssh.length, sshd.logins]).toEqual([1, 2])
})

test('a process killed while ssh logs in leaves nothing that hinders the next start', async context => {
  const { sshd, laptop } = await startLaptop(context)
  // The lookup of a key that is in no file hangs on the server.
  const asked = join(sshd.dir, 'asked')
  const ask = `/usr/bin/sh -c "touch ${asked}; exec sleep 60"`
  await sshd.restart(`AuthorizedKeysCommand ${ask}\nAuthorizedKeysCommandUser ${userInfo().username}`)
  writeFileSync(sshd.authorizedKeys, '')
  const child = spawn(machineNode, [program, 'inbox'], { env: cleanEnv(laptop.env), stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  await until('ssh to wait', () => existsSync(asked))
  const { pid } = laptop.ssh[0]!
  child.kill('SIGKILL')
  await once(child, 'exit')

  sshd.authorize()
  expect(await laptop.run('inbox')).toMatchObject({ code: 0, stderr: '' })
  expect(laptop.ssh).toHaveLength(1)
  expect(laptop.ssh[0]!.pid).not.toBe(pid)
})

test('leave ends it', async context => {
  const { laptop } = await startLaptop(context)
  expect(await laptop.run('inbox')).toMatchObject({ code: 0 })
  expect(laptop.ssh).toHaveLength(1)
  expect(await laptop.run('leave', '--bin', laptop.machine.userHome)).toMatchObject({ code: 0 })
  await until('ssh to end', () => laptop.ssh.length === 0)
})
