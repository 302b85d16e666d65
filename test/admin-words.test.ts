import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { startHub } from './support/hub.ts'
import { startMachine } from './support/machine.ts'
import { hubNode, run } from './support/program.ts'
import { tempDir } from './support/temp.ts'

test('groups and aliases are listed to admins, groups to agents, and a message to a group shows its name', async () => {
  const hub = await startHub()
  const admin = (...args: string[]) => run([...args, '--data', hub.dataDir])
  const sean = await startMachine(hub, 'seanclaude')
  const chas = await hub.join('chasclaude')
  expect((await admin('alias')).stdout).toMatch(/^No aliases yet\./)
  await admin('alias', 'builder', 'seanclaude')
  await admin('group', 'backend', 'seanclaude', 'chasclaude')
  expect((await admin('alias')).stdout).toBe('ALIAS    MEMBER\nbuilder  seanclaude\n')
  expect(JSON.parse((await admin('alias', '--json')).stdout)).toEqual({
    aliases: [{ alias: 'builder', member: 'seanclaude' }],
  })
  for (const to of ['backend', 'seanclaude', '@SeanClaude', ['seanclaude', 'chasclaude']]) {
    await chas.client.call(api.sendMessage, { body: { to, body: 'hello' } })
  }
  const session = await sean.mcp()
  expect((await session.call('machines')).text).toContain(
    'Groups: all (every other machine), backend (chasclaude, seanclaude).',
  )
  const to = /· to ([^·]*?)(?: ·|$)/
  const shown = (text: string) =>
    text
      .split('\n')
      .filter(line => /chasclaude.* · /.test(line))
      .map(line => to.exec(line)?.[1])
  expect(shown((await session.call('inbox')).text)).toEqual(['backend', undefined, undefined, 'seanclaude, chasclaude'])
  expect(shown((await sean.run(['inbox'])).stdout)).toEqual(['backend', undefined, undefined, 'seanclaude, chasclaude'])
})

test('an error of usage exits with 2, a refusal by the hub with 1, both in the terms of the command line', async () => {
  const hub = await startHub()
  const admin = (...args: string[]) => run([...args, '--data', hub.dataDir])
  for (const args of [
    ['alias', 'builder'],
    ['owner', 'seanclaude'],
    ['audit', '--since', 'yesterday'],
    ['invite', 'sean', '--url', 'foo'],
    ['brake', '--lift', 'a'],
    ['settings', '--keep-text', 'x'],
  ])
    expect({ args, code: (await admin(...args)).code }).toEqual({ args, code: 2 })
  for (const args of [['restore', 'x.db'], ['completion', 'tcsh'], ['send']]) {
    expect({ args, code: (await run(args)).code }).toEqual({ args, code: 2 })
  }
  const refused = await admin('invite', 'No Such Name!')
  expect(refused.code).toBe(1)
  expect(refused.stderr).toMatch(/^claude-net: The name: /)
  expect(refused.stderr).not.toMatch(/body\./)
  expect((await admin('rename', 'nobody', 'somebody')).code).toBe(1)
})

test('hub --check reports a valid file, or all its errors', async () => {
  const file = join(tempDir('check'), 'hub.json')
  writeFileSync(file, '{ "port": 3600 }')
  const check = (...args: string[]) => run(['hub', '--check', '--config', file, ...args], { node: hubNode })
  expect((await check()).stdout).toMatch(
    /hub\.json is good: it listens on 0\.0\.0\.0, port 3600, keeps its store in \//,
  )
  expect(JSON.parse((await check('--json')).stdout)).toMatchObject({ ok: true, port: 3600 })
  writeFileSync(file, '{ "prot": 3600,\n "hosts": 1 }')
  const wrong = await check()
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toMatch(/2 errors:\n {2}line 1: prot: no such field; did you mean port\?\n {2}line 2: hosts: /)
})
