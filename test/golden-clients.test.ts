import { spawn } from 'node:child_process'
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { expect, onTestFinished, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { startHub } from './support/hub.ts'
import { cleanEnv, machineNode, type Ran, ranOf } from './support/program.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

/** The clients of releases that are still supported: see test/golden/README.md. */
const clients = globSync('test/golden/client-*.mjs.gz')

test('at least one released client is tested', () => {
  expect(clients.length).toBeGreaterThan(0)
})

test.for(clients.map(path => basename(path)))(
  '%s, as it was released, works with this hub',
  { timeout: 300_000 },
  async name => {
    const hub = await startHub()
    const dir = tempDir('golden-client')
    const file = join(dir, 'claude-net.mjs')
    writeFileSync(file, gunzipSync(readFileSync(join('test/golden', name))), { mode: 0o755 })
    /** Runs one command as one of the machines. */
    const as = async (machine: string, ...args: string[]): Promise<Ran> => {
      const userHome = join(dir, machine)
      mkdirSync(join(userHome, '.claude-net'), { recursive: true, mode: 0o700 })
      const child = spawn(machineNode, [file, ...args], { env: cleanEnv({ HOME: userHome }), cwd: dir })
      return ranOf(child)
    }
    const good = async (machine: string, ...args: string[]) => {
      const { code, stdout, stderr } = await as(machine, ...args)
      expect([code, stderr], `${machine}: ${args.join(' ')}: ${stdout}`).toEqual([0, ''])
      return stdout
    }

    // The admin's commands, and joining.
    const admin = ['--data', hub.dataDir]
    await good('admin', 'invite', 'sean', '--human', ...admin)
    for (const machine of ['alpha', 'beta']) {
      const invited = JSON.parse(await good('admin', 'invite', machine, '--owner', 'sean', '--json', ...admin))
      await good(
        machine,
        'join',
        hub.url.origin,
        '--machine',
        machine,
        '--code',
        invited.code,
        '--no-claude',
        '--bin',
        join(dir, machine),
      )
    }
    await good('admin', 'alias', 'a', 'alpha', ...admin)
    expect(await good('admin', 'members', ...admin)).toContain('alpha')

    // Commands of people.
    await good('alpha', 'send', 'beta', 'first')
    expect(JSON.parse(await good('beta', 'inbox', '--json')).messages).toMatchObject([{ from: 'alpha', body: 'first' }])
    expect(await good('beta', 'inbox', '--ack')).toContain('> first')
    expect(JSON.parse(await good('beta', 'inbox', '--json'))).toMatchObject({ unread: 0 })
    expect(await good('alpha', 'machines')).toContain('beta')
    expect(await good('alpha', 'history', 'first')).toContain('first')
    expect(await good('alpha', 'policy', '--inbound', 'accept')).toContain('accept')
    expect(await good('alpha', 'doctor')).toMatch(/^ok {4}token /m)
    expect(await as('alpha', 'send', 'betta', 'x')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Did you mean beta'),
    })

    // A stream.
    const watching = spawn(machineNode, [file, 'watch', '--json'], { env: cleanEnv({ HOME: join(dir, 'beta') }) })
    onTestFinished(() => void watching.kill())
    let seen = ''
    watching.stdout.setEncoding('utf8').on('data', text => (seen += text))
    await good('alpha', 'send', 'beta', 'second')
    await until(
      'the stream tells',
      () => seen.includes('"inbox"') || seen.includes('second') || seen.includes('alpha'),
      90_000,
    )

    // The tools of a session.
    const session = new Client({ name: 'claude-code', version: '2.1.330' })
    onTestFinished(() => session.close())
    await session.connect(
      new StdioClientTransport({
        command: machineNode,
        args: [file, 'mcp'],
        env: cleanEnv({ HOME: join(dir, 'beta') }),
      }),
    )
    const call = async (tool: string, args: Record<string, unknown> = {}) => {
      const { content, isError } = await session.callTool({ name: `claude_net_${tool}`, arguments: args })
      expect(isError).not.toBe(true)
      return content.map(part => (part.type === 'text' ? part.text : '')).join('')
    }
    expect(await call('inbox', { ack: true })).toContain('> second')
    expect(await call('send', { to: 'all', message: 'third' })).toContain('Stored for alpha')
    expect(await call('machines')).toContain('beta (you): machine')
    await until(
      'its session is online',
      async () => {
        const { members } = await hub.client(hub.adminToken).call(api.listMachines)
        return members.find(member => member.name === 'beta')?.online
      },
      90_000,
    )

    // Old clients do not support messages for a project: they show all of them, and the address names the project.
    const beta = hub.client(readFileSync(join(dir, 'beta', '.claude-net', 'token'), 'utf8').trim())
    await beta.call(api.heartbeat, { body: { session: 's1', client: 'test/1', project: 'billing' } })
    await good('alpha', 'send', 'beta/billing', 'to a project')
    expect(await call('inbox')).toContain('> to a project')
    expect(JSON.parse(await good('beta', 'inbox', '--json')).messages).toMatchObject([{ to: ['beta/billing'] }])
    expect(await good('beta', 'inbox', '--ack')).toContain('> to a project')

    // Old clients do not know the kinds of these senders: a service, and the hub itself.
    const hubAdmin = hub.client(hub.adminToken)
    const body = { name: 'hook', source: 'generic' as const, to: ['beta'] }
    const { path } = await hubAdmin.call(api.addWebhook, { body })
    const event = { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'from outside' }
    expect((await fetch(new URL(path, hub.url), event)).status).toBe(201)
    expect(await call('inbox')).toContain('> from outside')
    expect(JSON.parse(await good('beta', 'inbox', '--json')).messages).toMatchObject([{ from: 'hook' }])
    expect(await good('beta', 'history')).toContain('from outside')
    expect(await good('beta', 'machines')).not.toContain('hook')
    expect(await good('admin', 'members', ...admin)).toContain('alpha')
    expect(await good('beta', 'inbox', '--ack')).toContain('> from outside')

    // A hub that is down, and then runs again.
    await hub.stop()
    expect(await as('alpha', 'send', 'beta', 'fourth')).toMatchObject({ code: 75 })
    await hub.start()
    await good('alpha', 'inbox')
    expect(await good('beta', 'inbox')).toContain('> fourth')
  },
)
