import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { knownProjects } from '../src/client/project/known-projects.ts'
import { liveSessions } from '../src/notice/live-sessions.ts'
import { api } from '../src/protocol/api.ts'
import type { SendRequest } from '../src/protocol/messages.ts'
import { startClaude } from './support/claude-session.ts'
import type { TestMember } from './support/hub.ts'
import { startMachine, type TestMachine } from './support/machine.ts'
import { makeRepository, makeWorktree } from './support/repository.ts'
import { sharedHub } from './support/shared-hub.ts'
import { until } from './support/until.ts'

const hub = sharedHub()
let chas: TestMember
let machines = 0

beforeAll(async () => {
  chas = await hub.join('chasclaude')
})

/**
 * Creates a machine for this test with two repositories, and a function by which chasclaude writes to it: `send('/shop', …)` for a project.
 */
async function seansMachine(...names: string[]) {
  const sean = await startMachine(hub, `sean${++machines}claude`)
  const dirs = names.map(name => makeRepository(sean.userHome, name))
  const send = async (to: string, body: string, more: Partial<SendRequest> = {}) =>
    (await chas.client.call(api.sendMessage, { body: { to: sean.name + to, body, ...more } })).id
  return { sean, dirs, send }
}

/** Starts a session in `dir` that has ended its turn, and waits until the hub has received its presence. */
async function idleIn(sean: TestMachine, dir: string) {
  const claude = await startClaude(sean, { CLAUDE_PROJECT_DIR: dir })
  await claude.hook('UserPromptSubmit')
  const before = liveSessions(sean.home).length
  const mcp = await claude.mcp()
  await until('the session', () => liveSessions(sean.home).length > before)
  await until('its presence', async () => (await mcp.call('machines')).text.includes('session'))
  await claude.hook('Stop')
  return { claude, mcp }
}

/** Returns the first lines of the texts in an inbox result. */
const textsIn = (answer: string) => [...answer.matchAll(/^> (.*)$/gm)].map(match => match[1])

/** Starts sessions in these directories, so that the hub stores their projects. */
async function visit(sean: TestMachine, ...dirs: string[]) {
  for (const dir of dirs) {
    const mcp = await sean.mcp({ CLAUDE_PROJECT_DIR: dir })
    await heard(sean, dir.split('/').at(-1)!)
    await mcp.close()
  }
}

function heard(sean: TestMachine, project: string) {
  return until(`${project} at the hub`, async () => {
    const { members } = await chas.client.call(api.listMachines)
    return members.find(({ name }) => name === sean.name)?.projects?.some(({ name }) => name === project)
  })
}

test('each session reads and acks messages for its project and for none, and sees the number of those for others', async () => {
  const { sean, dirs, send } = await seansMachine('shop', 'billing')
  await visit(sean, ...dirs)
  const [shop, billing, home] = await Promise.all(
    [...dirs, sean.userHome].map(dir => sean.mcp({ CLAUDE_PROJECT_DIR: dir })),
  )
  await send('/shop', 'for shop')
  const forBilling = await send('/billing', 'for billing')
  await send('/billing', 'more for billing')
  await send('', 'for whoever comes')

  const atHome = (await home!.call('inbox')).text
  expect(textsIn(atHome)).toEqual(['for whoever comes'])
  expect(atHome).toContain('Other projects of this machine: 2 for billing, 1 for shop.')
  expect((await home!.call('inbox', { ack: forBilling })).text).toContain('Acked 0 messages')

  const inShop = (await shop!.call('inbox', { ack: true })).text
  expect(inShop).toContain('2 unread messages.')
  expect(inShop).toMatch(/from chasclaude \(machine\) · just now · request · for shop\n> for shop/)
  expect(textsIn(inShop)).toEqual(['for shop', 'for whoever comes'])
  expect(inShop).toContain('Other projects of this machine: 2 for billing.')
  expect((await shop!.call('inbox')).text).toBe('No unread messages.\nOther projects of this machine: 2 for billing.')

  const first = (await billing!.call('inbox', { limit: 1, ack: true })).text
  expect(textsIn(first)).toEqual(['for billing'])
  expect(first).toContain('1 more unread.')
  expect(textsIn((await billing!.call('inbox')).text)).toEqual(['more for billing'])
})

test('subdirectories and worktrees belong to the project; a session outside, or on a machine that shares none, has none', async () => {
  const { sean, dirs, send } = await seansMachine('shop')
  const [shop] = dirs as [string]
  await visit(sean, shop)
  const deep = join(shop, 'src', 'deep')
  mkdirSync(deep, { recursive: true })
  const worktree = makeWorktree(shop, join(sean.userHome, 'elsewhere', 'try'), 'try')
  await send('/shop', 'for shop')
  for (const dir of [shop, deep, worktree]) {
    const mcp = await sean.mcp({ CLAUDE_PROJECT_DIR: dir })
    expect([dir, textsIn((await mcp.call('inbox')).text)]).toEqual([dir, ['for shop']])
  }
  const config = join(sean.home, 'config.json')
  writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), shareProjects: false }))
  const all = (await (await sean.mcp({ CLAUDE_PROJECT_DIR: sean.userHome })).call('inbox')).text
  expect(all).toContain('· for shop')
  expect(textsIn(all)).toEqual(['for shop'])
})

test('an answer goes back to the project that asked, whichever session reads first', async () => {
  const { sean, dirs } = await seansMachine('shop', 'billing')
  const [shop, billing] = await Promise.all(dirs.map(dir => sean.mcp({ CLAUDE_PROJECT_DIR: dir })))
  await heard(sean, 'shop')
  const asked = await shop!.call('send', { to: 'chasclaude', message: 'is it done?' })
  const [, id] = /Message ([0-9a-f-]{36})/.exec(asked.text)!
  const { messages } = await chas.client.call(api.readInbox)
  expect(messages.at(-1)).toMatchObject({ id, from: sean.name, fromProject: 'shop' })
  await chas.client.call(api.sendMessage, { body: { to: sean.name, body: 'it is', replyTo: id } })
  expect((await billing!.call('inbox')).text).toBe('No unread messages.\nOther projects of this machine: 1 for shop.')
  expect(textsIn((await shop!.call('inbox')).text)).toEqual(['it is'])
})

describe('a wake', () => {
  test('notifies each session only of its own messages', async () => {
    const { sean, dirs, send } = await seansMachine('shop', 'billing')
    const shop = await idleIn(sean, dirs[0]!)
    const billing = await idleIn(sean, dirs[1]!)
    const home = await idleIn(sean, sean.userHome)
    await Promise.all([send('/shop', 'secret of the shop'), send('/billing', 'secret of billing')])
    const wakeOf = async ({ claude }: typeof shop) => {
      const [wake] = await until('a wake', () => (claude.wakes.length > 0 ? claude.wakes : undefined))
      return wake!
    }
    expect(await wakeOf(shop)).toMatch(/^1 unread message from chasclaude\.\n- .*: > secret of the shop\n/)
    expect(await wakeOf(billing)).toMatch(/^1 unread message from chasclaude\.\n- .*: > secret of billing\n/)
    for (const { claude } of [shop, billing, home]) await claude.hook('UserPromptSubmit')
    expect(await home.claude.hook('SessionStart', { source: 'clear' })).toBe('')
    expect(await shop.claude.hook('SessionStart', { source: 'clear' })).toMatch(
      /^Claude Net: 1 unread message\.\n- .*shop\n/,
    )
    expect(await billing.claude.hook('SessionStart', { source: 'resume' })).toMatch(/1 unread message\.\n- .*billing\n/)
    expect(await shop.claude.hook('PostToolUse', { agent_id: 'sub' })).toBe('')
    expect([shop, billing, home].map(({ claude }) => claude.wakes.length)).toEqual([1, 1, 0])
  })

  test('for a project goes to its next session after the first has ended, and waits if there is none', async () => {
    const { sean, dirs, send } = await seansMachine('shop', 'billing')
    const other = await idleIn(sean, dirs[1]!)
    const first = await idleIn(sean, dirs[0]!)
    const second = await idleIn(sean, dirs[0]!)
    await send('/shop', 'take it')
    await until('a wake', () => first.claude.wakes.length + second.claude.wakes.length > 0)
    const [woken, next] = second.claude.wakes.length > 0 ? [second, first] : [first, second]
    await woken.mcp.close()
    await until('the next wake', () => next.claude.wakes.length > 0)
    await next.mcp.close()
    await send('/shop', 'nobody is there')
    await send('', 'for whoever comes')
    await until('a wake', () => other.claude.wakes.length > 0)
    expect(other.claude.wakes).toHaveLength(1)
    expect(other.claude.wakes[0]).not.toContain('nobody is there')
  })
})

test('the second directory of one name is reported once per session, and has another name until config.json sets one', async () => {
  const { sean, dirs } = await seansMachine('shop')
  const second = makeRepository(sean.userHome, 'old', 'shop')
  await visit(sean, dirs[0]!)
  const mcp = await sean.mcp({ CLAUDE_PROJECT_DIR: second })
  const told = (await mcp.call('machines')).text
  expect(told).toContain(
    `This session's project is 'shop-2': the directory ${dirs[0]} of this machine is 'shop' already.`,
  )
  expect((await mcp.call('machines')).text).not.toContain("This session's project")
  const claude = await startClaude(sean, { CLAUDE_PROJECT_DIR: second })
  await claude.hook('SessionStart', { source: 'startup' })
  await claude.mcp()
  expect(await claude.untilAnnounced('UserPromptSubmit')).toMatch(/^Claude Net: This session's project is 'shop-2': /)
  expect(await claude.hook('UserPromptSubmit')).toBe('')
  await heard(sean, 'shop-2')
  expect([...knownProjects(sean.home)]).toEqual([
    ['shop', dirs[0]],
    ['shop-2', second],
  ])
  const { stdout } = await sean.run(['doctor'], { cwd: second })
  expect(stdout).toContain(`project  shop-2 here, by ${second}`)
  expect(stdout).toContain(`${second} is 'shop-2', because ${dirs[0]} is 'shop'`)
  const config = join(sean.home, 'config.json')
  const projects = { [second]: 'oldshop' }
  writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), projects }))
  const again = await sean.mcp({ CLAUDE_PROJECT_DIR: second })
  expect((await again.call('machines')).text).not.toContain("This session's project")
  await heard(sean, 'oldshop')
})

test('in a terminal the directory determines the project, unless an option does; messages sent there come from it', async () => {
  const { sean, dirs, send } = await seansMachine('shop', 'billing')
  await visit(sean, ...dirs)
  await send('/shop', 'for shop')
  await send('/billing', 'for billing')
  await send('', 'for whoever comes')
  const inbox = async (cwd: string, ...args: string[]) =>
    JSON.parse((await sean.run(['inbox', '--json', ...args], { cwd })).stdout).messages.map(
      ({ body }: { body: string }) => body,
    )
  expect(await inbox(dirs[0]!)).toEqual(['for shop', 'for whoever comes'])
  expect(await inbox(sean.userHome)).toEqual(['for whoever comes'])
  expect(await inbox(sean.userHome, '--project', 'Billing')).toEqual(['for billing', 'for whoever comes'])
  expect(await inbox(dirs[0]!, '--all')).toEqual(['for shop', 'for billing', 'for whoever comes'])
  const { stdout } = await sean.run(['inbox', '--ack'], { cwd: dirs[0]! })
  expect(stdout).toMatch(/^chasclaude · just now · request · for shop\n/m)
  expect(stdout).toContain('Other projects of this machine: 1 for billing. To see all: claude-net inbox --all')
  expect(await inbox(dirs[0]!, '--all')).toEqual(['for billing'])

  await sean.run(['send', 'chasclaude', 'from the shop'], { cwd: dirs[0]! })
  const { messages } = await chas.client.call(api.readInbox)
  expect(messages.at(-1)).toMatchObject({ body: 'from the shop', fromProject: 'shop' })
  expect((await sean.run(['machines'], { cwd: dirs[0]! })).stdout).toMatch(/billing/)
})

test('a renamed machine keeps its projects, and a renamed directory leaves its messages to sessions that read them all', async () => {
  const { sean, dirs, send } = await seansMachine('shop')
  const shop = await sean.mcp({ CLAUDE_PROJECT_DIR: dirs[0]! })
  await heard(sean, 'shop')
  await send('/shop', 'to the old directory')
  const to = `renamed${machines}claude`
  await hub.client(hub.adminToken).call(api.renameMember, { params: { name: sean.name }, body: { to } })
  await chas.client.call(api.sendMessage, { body: { to: `${to}/shop`, body: 'to the new name' } })
  expect(textsIn((await shop.call('inbox')).text)).toEqual(['to the old directory', 'to the new name'])
  await shop.close()

  const moved = join(sean.userHome, 'store')
  renameSync(dirs[0]!, moved)
  const store = await sean.mcp({ CLAUDE_PROJECT_DIR: moved })
  expect((await store.call('inbox')).text).toBe('No unread messages.\nOther projects of this machine: 2 for shop.')
  expect((await sean.run(['inbox'], { cwd: moved })).stdout).toContain('2 for shop. To see all: claude-net inbox --all')
  expect((await sean.run(['inbox', '--project', 'shop'], { cwd: moved })).stdout).toContain('> to the old directory')
  const machinesText = (await store.call('machines')).text
  expect(machinesText).toMatch(new RegExp(`^You are ${to}/store; 2 unread on this machine\\.\\n`))
})

test('the sender to a project is told whether a session of it runs, and which projects exist', async () => {
  const { sean, dirs } = await seansMachine('shop', 'billing')
  await visit(sean, ...dirs)
  const jaz = await startMachine(hub, `jaz${machines}claude`)
  const mcp = await jaz.mcp()
  const shop = await sean.mcp({ CLAUDE_PROJECT_DIR: dirs[0]! })
  await until('shop', async () =>
    (await mcp.call('send', { to: `${sean.name}/Shop`, message: 'hello' })).text.includes(
      `Stored for ${sean.name}/shop (online)`,
    ),
  )
  expect((await mcp.call('send', { to: `${sean.name}/billing`, message: 'hello' })).text).toMatch(
    new RegExp(
      `^Stored for ${sean.name}/billing \\(no session of billing since just now; 1 other session of ${sean.name} runs\\)\\.`,
    ),
  )
  expect(await mcp.call('send', { to: `${sean.name}/biling`, message: 'hello' })).toMatchObject({
    isError: true,
    text: expect.stringContaining(`${sean.name}/billing`),
  })
  expect((await mcp.call('machines')).text).toMatch(/shop.*billing|billing.*shop/)
  await shop.close()
})

test('fifty projects of one machine each read only their messages', async () => {
  const names = Array.from({ length: 50 }, (_, n) => `p${n}`)
  const { sean, send } = await seansMachine()
  const { token } = { token: readFileSync(join(sean.home, 'token'), 'utf8').trim() }
  const client = hub.client(token)
  for (const project of names)
    await client.call(api.heartbeat, { body: { session: project, client: 'test/1', project } })
  for (const name of names) await send(`/${name}`, `for ${name}`)
  for (const project of ['p0', 'p49'])
    expect((await client.call(api.readInbox, { query: { project } })).messages.map(({ body }) => body)).toEqual([
      `for ${project}`,
    ])
  const text = (await (await sean.mcp()).call('inbox')).text
  expect(text).toMatch(/^No unread messages\.\nOther projects of this machine: 1 for .* and \d+ more projects\.$/)
})
