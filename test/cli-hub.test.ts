import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { joinCodePattern } from '../src/protocol/join-code.ts'
import { cleanEnv, hubNode, program, run } from './support/program.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { tempDir } from './support/temp.ts'
import { twoMembers } from './support/two-members.ts'

const hubAlone = emptiedHub()

describe('machines and members', () => {
  test('list all members, for a member and for the admin', async () => {
    const { hub, sean } = await twoMembers(hubAlone)
    await hub.join('sean', 'human')
    await hub.client(hub.adminToken).call(api.invite, { body: { name: 'jazclaude', owner: 'sean' } })
    const machines = await sean.run(['machines'])
    expect(machines.stdout.split('\n').map(line => line.split(/ {2,}/))).toEqual([
      ['NAME', 'KIND', 'OWNER', 'STATE', 'CLIENT'],
      ['chasclaude', 'machine', 'no session yet'],
      ['jazclaude', 'machine', 'sean', 'no session yet'],
      ['sean', 'human', 'not on Telegram'],
      ['seanclaude (you)', 'machine', 'no session yet'],
      [''],
      ['0 unread for you.'],
      [''],
    ])
    expect(JSON.parse((await sean.run(['machines', '--json'])).stdout)).toMatchObject({ you: 'seanclaude', unread: 0 })

    const members = await run(['members', '--data', hub.dataDir])
    expect(members).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^NAME +KIND +OWNER +UNREAD +TOKEN +LAST USE +STATE\n/),
    })
    expect(members.stdout).toMatch(/^jazclaude +machine +sean +0 +has not joined$/m)
    await hub.client(hub.adminToken).call(api.revokeMember, { params: { name: 'chasclaude' } })
    const revoked = await run(['members', '--data', hub.dataDir])
    expect(revoked.stdout).toMatch(/^chasclaude +machine +0 +revoked; no session yet$/m)
    const json = JSON.parse((await run(['members', '--data', hub.dataDir, '--json'])).stdout)
    expect(json.members).toHaveLength(4)
    expect(json.members[1]).toMatchObject({ name: 'jazclaude', owner: 'sean', joinedAt: null, tokenId: null })
  })

  test('members of a new hub explains how to make the first', async () => {
    const hub = await hubAlone()
    expect((await run(['members', '--data', hub.dataDir])).stdout).toContain('claude-net invite NAME')
  })
})

test('the commands about members print sentences, or one JSON value', { timeout: 120_000 }, async () => {
  const { hub } = await twoMembers(hubAlone)
  const file = join(tempDir('organization'), 'organization.json')
  writeFileSync(file, JSON.stringify({ humans: { sean: {} }, machines: { jazclaude: { owner: 'sean' } } }))
  const lines: [string, RegExp, unknown][] = [
    [`import ${file}`, /^2 members in the file; .*\n.*claude-net invite NAME\n$/, { members: 2 }],
    ['alias backend seanclaude', /^backend now means seanclaude\.\n$/, { alias: 'backend', member: 'seanclaude' }],
    ['group devs seanclaude chasclaude', /^devs has 2 members: /, { members: ['chasclaude', 'seanclaude'] }],
    ['group', /^GROUP +MEMBERS\ndevs +chasclaude, seanclaude\n$/, { groups: [{ name: 'devs' }] }],
    ['owner seanclaude sean', /^seanclaude belongs to sean\.\n$/, { owner: 'sean' }],
    ['rotate seanclaude', /^Run this on seanclaude within 10 minutes, once:\n/, { name: 'seanclaude' }],
    ['revoke seanclaude', /claude-net invite seanclaude\n$/, { name: 'seanclaude' }],
    ['alias backend --remove', /^backend is no longer an alias/, { error: { code: 'not_found' } }],
    ['rename jazclaude jazzclaude', /^jazclaude is now jazzclaude\./, { error: { code: 'not_found' } }],
    ['delete jazzclaude', /^jazzclaude is gone; 0 unread messages expired\.\n$/, { error: { code: 'not_found' } }],
  ]
  for (const [line, sentence, again] of lines) {
    const args = [...line.split(' '), '--data', hub.dataDir]
    expect(await run(args)).toEqual({ code: 0, stdout: expect.stringMatching(sentence), stderr: '' })
    // Repeated, most commands change nothing, and the last ones find no such name.
    const { code, stdout, stderr } = await run([...args, '--json'])
    expect(JSON.parse(stdout || stderr)).toMatchObject(again as object)
    expect(code).toBe(stdout === '' ? 1 : 0)
  }
})

describe('invite', () => {
  test('prints the join line; a repeated invitation says that the member is renewed, and invalidates the first code', async () => {
    const hub = await hubAlone()
    const admin = ['--data', hub.dataDir]
    const first = await run(['invite', 'seanclaude', ...admin])
    expect([first.code, first.stderr]).toEqual([0, ''])
    expect(first.stdout).toMatch(
      /^seanclaude is a member now and can receive messages\.\nRun this on its machine within 10 minutes/,
    )
    const lines =
      /\n {2}printf '%s\\n' 'url="(https:\/\/[0-9.:]+)\/join\/([0-9A-Z-]+)"' 'noproxy="\*"' 'proto="=https"' 'insecure' 'pinnedpubkey="(\S+)"' \| curl -fsS -K - \| sh\n/
    const [, origin, code, hubKey] = lines.exec(first.stdout)!
    expect(code).toMatch(joinCodePattern)
    expect([origin, hubKey]).toEqual([hub.tlsOrigin, hub.hubKey])

    const second = await run(['invite', 'seanclaude', ...admin])
    expect(second.stdout).toMatch(/^seanclaude is a member already; its inbox stays, and its old token ends/)
    expect(lines.exec(second.stdout)![2]).not.toBe(code)
    expect(await (await fetch(`${hub.url.origin}/join/${code}`)).text()).toContain(
      'This join code is unknown, used, or older',
    )
  })

  test('as JSON it is one object, and --url sets the address in the join line', async () => {
    const hub = await hubAlone()
    const { stdout } = await run([
      'invite',
      'seanclaude',
      '--data',
      hub.dataDir,
      '--url',
      'http://hub.lan:3500/',
      '--json',
    ])
    const { code, ...rest } = JSON.parse(stdout)
    expect(code).toMatch(joinCodePattern)
    expect(rest).toEqual({
      name: 'seanclaude',
      expiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*\.\d{3}Z$/),
      hubKey: hub.hubKey,
      command: `printf '%s\\n' 'url="https://hub.lan:3500/join/${code}"' 'noproxy="*"' 'proto="=https"' 'insecure' 'pinnedpubkey="${hub.hubKey}"' | curl -fsS -K - | sh`,
    })

    // A server at an https address has its own certificate, which the machine verifies.
    const behind = await run(['invite', 'jazclaude', '--data', hub.dataDir, '--url', 'https://hub.lan', '--json'])
    const { command, code: another } = JSON.parse(behind.stdout)
    expect(command).toBe(`printf '%s\\n' 'url="https://hub.lan/join/${another}"' 'noproxy="*"' | curl -fsSL -K - | sh`)
  })

  test('creates humans, and machines that belong to one', async () => {
    const hub = await hubAlone()
    const invite = (...args: string[]) => run(['invite', ...args, '--data', hub.dataDir])
    expect(await invite('seanclaude', '--owner', 'sean')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /No human is called 'sean'\.\nMake the human first: claude-net invite NAME --human\n$/,
      ),
    })
    expect(await invite('sean', '--human')).toMatchObject({ code: 0 })
    expect(await invite('seanclaude', '--owner', 'sean')).toMatchObject({ code: 0 })
    expect(await invite('jazclaude', '--owner', 'seen')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Did you mean sean'),
    })
    expect(await invite('sean')).toMatchObject({ code: 1, stderr: expect.stringContaining('sean is a human') })
    const { members } = await hub.client(hub.adminToken).call(api.listMembers)
    expect(members.map(({ name, kind, owner }) => [name, kind, owner])).toEqual([
      ['sean', 'human', null],
      ['seanclaude', 'machine', 'sean'],
    ])
  })

  test.for(['all', 'Sean', 'sean claude', '-x', 'a'.repeat(65)])('refuses the name %j', async name => {
    const hub = await hubAlone()
    expect(await run(['invite', '--data', hub.dataDir, '--', name])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^claude-net: The name: (a name has|this name is reserved)/),
    })
  })

  test("needs the admin's token, from the data directory or a file", async () => {
    const { hub, sean } = await twoMembers(hubAlone)
    const byHand = ['invite', 'jazclaude', '--hub', hub.url.origin, '--token-file']
    expect(await run([...byHand, join(hub.dataDir, 'admin.token')])).toMatchObject({ code: 0 })
    expect(await run([...byHand, join(sean.home, 'token')])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("is not for a machine's token"),
    })
    const nowhere = tempDir('nowhere')
    expect(await run(['invite', 'jazclaude', '--data', nowhere])).toMatchObject({
      code: 1,
      stderr: `claude-net: ${nowhere}/admin.sock does not exist.\nIs a hub running on ${nowhere}? Name its directory with --data DIR.\n`,
    })
  })
})

describe('hub', () => {
  test('with a store of a newer program exits 1: retrying would not help', async () => {
    const data = tempDir('newer')
    const store = new DatabaseSync(join(data, 'hub.db'))
    store.exec('pragma user_version = 999')
    store.close()
    const ran = await run(['hub', '--port', '0', '--data', data], { node: hubNode })
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('schema 999') })
  })

  test.for(['hub', 'demo'])(
    '%s under a Node that is too old ends with one clear sentence',
    async (command, context) => {
      const { node } = JSON.parse((await run(['version', '--json'])).stdout)
      if (Number.parseInt(node.slice(1), 10) >= 24) context.skip(`the system's Node is new enough for a hub: ${node}`)
      const cwd = tempDir('old-node')
      expect(await run([command], { cwd })).toEqual({
        code: 1,
        stdout: '',
        stderr: `claude-net: A hub needs Node 24 or newer; this is ${node}.\nIn a checkout, npm start and npx claude-net bring their own.\n`,
      })
      expect(readdirSync(cwd)).toEqual([])
    },
  )

  test.for([
    ['a wrong type', '{"port":"3500"}', /: port: .*number/],
    ['a number out of range', '{"port":70000}', /: port: /],
    ['a field that is none', '{"prot":3500}', /prot/],
    ['a field within a list', '{"hosts":["hub.lan",7]}', /: hosts\.1: /],
    ['a list', '[]', /It must be a JSON object/],
    ['nothing', 'null', /It must be a JSON object/],
    [
      'one form of two',
      '{"telegram":{"chatId":-1,"humans":{"chas":{"id":"1"}}}}',
      /: telegram\.humans\.chas\.id: .*number/,
    ],
    ['what is not JSON', '{"port":', / cannot be read: .*JSON/],
  ] as const)('reports an error in hub.json: %s', async ([, text, why]) => {
    const cwd = tempDir('config')
    writeFileSync(join(cwd, 'hub.json'), text)
    const { code, stdout, stderr } = await run(['hub', '--config', 'hub.json'], { cwd, node: hubNode })
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringMatching(why)])
    expect(stderr).toMatch(/^claude-net: hub\.json/)
    expect(readdirSync(cwd)).toEqual(['hub.json'])
  })

  test('that cannot have its address or its directory exits with one sentence', async () => {
    const hub = await hubAlone()
    const other = tempDir('other')
    const start = (host: string, port: number, data: string) =>
      run(['hub', '--log-level', 'silent', '--host', host, '--port', String(port), '--data', data], { node: hubNode })
    expect(await start('127.0.0.1', hub.port, other)).toEqual({
      code: 1,
      stdout: '',
      stderr: `claude-net: Port ${hub.port} of 127.0.0.1 is taken.\nAnother hub may be running. Choose another port with --port.\n`,
    })
    expect(await start('192.0.2.1', 0, other)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^claude-net: 192\.0\.2\.1 is not an address of this host\.\n.*--host.*\n$/),
    })
    expect(await start('999.1.1.1', 0, other)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^claude-net: 999\.1\.1\.1 is neither an address nor a name .*\n.*--host.*\n$/),
    })
    expect(await start('127.0.0.1', 0, hub.dataDir)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^claude-net: Another hub is running on .*\n.*--data DIR\n$/),
    })
    expect((await hub.client().call(api.health)).ok).toBe(true)
  })

  test.for(['hub', 'demo'])(
    "%s of the machine's file, alone in a directory, explains where to get the hub",
    async command => {
      const cwd = tempDir('alone')
      const file = join(cwd, 'claude-net.mjs')
      copyFileSync(program, file)
      const child = spawn(hubNode, [file, command], { env: cleanEnv(), cwd })
      let stderr = ''
      child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
      const [code] = await once(child, 'close')
      expect([code, stderr]).toEqual([
        1,
        "claude-net: This is a machine's client; it has no hub in it.\nRun this on the hub's host, or from a checkout of Claude Net.\n",
      ])
      expect(readdirSync(cwd)).toEqual(['claude-net.mjs'])
    },
  )
})
