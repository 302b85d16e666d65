import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { api } from '../../src/protocol/api.ts'
import type { TestHub } from '../support/hub.ts'
import { type McpSession, startMachine, TestMachine } from '../support/machine.ts'
import { emptiedHub } from '../support/shared-hub.ts'
import { tempDir } from '../support/temp.ts'

const hubAlone = emptiedHub()

/** Maximum size of a tool result, in bytes. */
const answerBytes = 40_000

const never = '0199a0de-0000-7000-8000-000000000000'

/** Creates two machines of one hub, each with the MCP server of one session. */
async function twoSessions() {
  const hub = await hubAlone()
  const [chas, sean] = [await startMachine(hub, 'chasclaude'), await startMachine(hub, 'seanclaude')]
  const [from, to] = await Promise.all([chas.mcp(), sean.mcp()])
  return { hub, chas, sean, from, to }
}

/** Returns the unread messages of a machine at the hub, independently of its sessions. */
async function unreadOf(hub: TestHub, machine: TestMachine) {
  return (await hub.client(tokenOf(machine)).call(api.readInbox)).messages
}

function tokenOf(machine: TestMachine): string {
  return readFileSync(join(machine.home, 'token'), 'utf8').trim()
}

/** Returns the ids of the messages in a tool result, in order. */
function idsIn(text: string): string[] {
  return [...text.matchAll(/^Message (\S+)$/gm)].map(match => match[1]!)
}

/** Returns the lines of `claude_net_machines`. Presence follows the start of a session after a moment, so tests poll them. */
async function machinesIn(session: McpSession): Promise<string[]> {
  return (await session.call('machines')).text.split('\n')
}

/** Returns the id in the result of `claude_net_send`. */
function sentId({ text }: { text: string }): string {
  return /Message ([0-9a-f-]{36})\./.exec(text)![1]!
}

describe('sending', () => {
  test('a message sent by name is in the inbox of that machine, with its sender and text', async () => {
    const { from, to } = await twoSessions()
    const sent = await from.call('send', { to: 'seanclaude', message: 'The build is red.' })
    expect(sent).toMatchObject({ isError: false, text: expect.stringMatching(/^Stored for seanclaude/) })

    const inbox = await to.call('inbox')
    expect(inbox.text).toContain('from chasclaude (machine)')
    expect(inbox.text).toContain('> The build is red.')
    expect(idsIn(inbox.text)).toEqual([sentId(sent)])
  })

  test('capital letters, surrounding spaces and a leading @ in a name are ignored', async () => {
    const { hub, sean, from } = await twoSessions()
    for (const to of ['SeanClaude', '@seanclaude', ' @SEANCLAUDE '])
      expect(await from.call('send', { to, message: `to ${to}` })).toMatchObject({ isError: false })
    expect((await unreadOf(hub, sean)).map(({ body }) => body)).toEqual([
      'to SeanClaude',
      'to @seanclaude',
      'to  @SEANCLAUDE ',
    ])
  })

  test('a list of names reaches each member once, even if named repeatedly', async () => {
    const { hub, sean, from } = await twoSessions()
    const jaz = await startMachine(hub, 'jazclaude')
    const sent = await from.call('send', { to: 'seanclaude, @jazclaude,SEANCLAUDE', message: 'Release at five.' })
    expect(sent.text).toMatch(/^Stored for 2 recipients\./)
    for (const machine of [sean, jaz])
      expect((await unreadOf(hub, machine)).map(({ body }) => body)).toEqual(['Release at five.'])
  })

  test('all is one delivery for every other machine, none for the sender or for humans', async () => {
    const { hub, chas, sean, from, to } = await twoSessions()
    const jaz = await startMachine(hub, 'jazclaude')
    const person = await hub.join('chas', 'human')
    const sent = await from.call('send', { to: 'all', message: 'The hub moves tonight.' })
    expect(sent.text).toMatch(/^Stored for 2 recipients\./)
    await from.call('send', { to: 'all, seanclaude', message: 'It has moved.' })

    expect(await unreadOf(hub, chas)).toEqual([])
    expect((await person.client.call(api.readInbox)).messages).toEqual([])
    for (const machine of [sean, jaz]) expect(await unreadOf(hub, machine)).toHaveLength(2)
    const { text } = await to.call('inbox', { ack: true })
    expect(text).toMatch(
      /^from chasclaude \(machine\) · just now · inform · to all · 1 newer message from chasclaude follow/m,
    )
    // The ack of one recipient does not affect the other.
    await to.call('machines')
    expect(await unreadOf(hub, sean)).toEqual([])
    expect(await unreadOf(hub, jaz)).toHaveLength(2)
  })

  test('a human can be a recipient, and the result says how they are reached', async () => {
    const { hub, from } = await twoSessions()
    await hub.join('sean', 'human')
    await expect.poll(() => machinesIn(from)).toContain('seanclaude: machine, online')
    expect((await from.call('send', { to: 'sean, seanclaude', message: 'Lunch?' })).text).toMatch(
      /^Stored for 2 recipients\..*\nnot on Telegram: sean\nonline: seanclaude\nsean is not notified of it\.\nTell your user to whom it went and what came of it\.$/,
    )
  })

  test('the chosen intent is shown to the reader', async () => {
    const { from, to } = await twoSessions()
    for (const intent of ['inform', 'urgent', 'request'])
      await from.call('send', { to: 'seanclaude', message: intent, intent })
    const { text } = await to.call('inbox')
    expect(
      [...text.matchAll(/· just now · (\w+)(?: · .*)?\n> (\w+)$/gm)].map(([, shown, sent]) => [shown, sent]),
    ).toEqual([
      ['inform', 'inform'],
      ['urgent', 'urgent'],
      ['request', 'request'],
    ])
  })
})

describe('sends that are refused', () => {
  test('a typo returns the nearest names, and nothing is stored', async () => {
    const { hub, sean, from } = await twoSessions()
    const answer = await from.call('send', { to: 'seancluade', message: 'hello?' })
    expect(answer.isError).toBe(true)
    expect(answer.text).toContain("No member is called 'seancluade'. Nothing was sent.")
    expect(answer.text).toContain('Did you mean seanclaude?')
    expect(await unreadOf(hub, sean)).toEqual([])
    expect((await from.call('machines')).text).not.toContain('seancluade')
  })

  test('a list with one unknown name stores nothing for any of them', async () => {
    const { hub, sean, from } = await twoSessions()
    const answer = await from.call('send', { to: 'seanclaude, nobody-here', message: 'hello?' })
    expect(answer).toMatchObject({ isError: true, text: expect.stringContaining("'nobody-here'") })
    expect(await unreadOf(hub, sean)).toEqual([])
  })

  test('a message that would reach no member is an error with the reason', async () => {
    const hub = await hubAlone()
    const alone = await (await startMachine(hub, 'chasclaude')).mcp()
    const all = await alone.call('send', { to: 'all', message: 'Anybody?' })
    expect(all).toMatchObject({ isError: true, text: expect.stringMatching(/would reach nobody.*\n.*invited/) })
    const none = await alone.call('send', { to: ' , ', message: 'Anybody?' })
    expect(none).toMatchObject({ isError: true, text: expect.stringMatching(/nothing is named/) })
  })

  test('unknown or invalid arguments are refused, and the error names them', async () => {
    const { hub, sean, from } = await twoSessions()
    const sent = { to: 'seanclaude', message: 'hello?' }
    const wrong: ['send' | 'inbox', Record<string, unknown>, RegExp][] = [
      ['send', { to: 'seanclaude' }, /message/],
      ['send', { ...sent, message: '' }, /message/],
      ['send', { ...sent, to: { name: 'seanclaude' } }, /to: /],
      ['send', { ...sent, to: [] }, /nothing is named/],
      ['send', { ...sent, intent: 'order' }, /intent/],
      ['send', { ...sent, reply_to: '7' }, /reply_to/],
      ['send', { ...sent, replyTo: never }, /replyTo/],
      ['send', { ...sent, from: 'admin' }, /from/],
      ['send', { ...sent, message: 'x'.repeat(32 * 1024 + 1) }, /32768 is the most/],
      ['send', { ...sent, message: 'half of an emoji: \ud83d' }, /well-formed/],
      ['inbox', { limit: 0 }, /limit/],
      ['inbox', { limit: 1.5 }, /limit/],
      ['inbox', { ack: 'all' }, /ack/],
      ['inbox', { ack: { ids: [never] } }, /ack/],
      ['inbox', { ack: ['7'] }, /ack/],
    ]
    for (const [tool, args, named] of wrong)
      expect(await from.call(tool, args)).toMatchObject({ isError: true, text: expect.stringMatching(named) })
    expect(await unreadOf(hub, sean)).toEqual([])
  })

  test('without a hub every tool reports what happened and what to do', async () => {
    const { hub, from } = await twoSessions()
    await hub.stop()
    for (const tool of ['inbox', 'machines'] as const)
      expect(await from.call(tool)).toMatchObject({
        isError: true,
        text: expect.stringMatching(/cannot be reached: nothing listens there\.\nFor details: claude-net doctor$/),
      })
    expect(await from.call('send', { to: 'seanclaude', message: 'later' })).toMatchObject({
      isError: false,
      text: expect.stringMatching(/^Kept on this machine; it goes out when the hub is back/),
    })
  })
})

describe('reading', () => {
  test('the inbox is shown oldest first, completely or up to the limit, with an exact count of the rest', async () => {
    const { from, to } = await twoSessions()
    expect((await to.call('inbox')).text).toBe('No unread messages.')
    const ids: string[] = []
    for (let n = 1; n <= 5; n++)
      ids.push(sentId(await from.call('send', { to: 'seanclaude', message: `message ${n}` })))

    const whole = await to.call('inbox')
    expect(idsIn(whole.text)).toEqual(ids)
    expect(whole.text).toMatch(/^5 unread messages\./)
    expect(whole.text).not.toContain('more unread')

    const two = await to.call('inbox', { limit: 2 })
    expect(idsIn(two.text)).toEqual(ids.slice(0, 2))
    expect(two.text).toMatch(/^5 unread messages\./)
    expect(two.text).toContain('\n3 more unread.')
    expect(idsIn((await to.call('inbox', { limit: 1000 })).text)).toEqual(ids)
  })

  test('a result shows twenty messages by default, and counts the rest without held ones', async () => {
    const { hub, chas, sean, to } = await twoSessions()
    const [sender, reader] = [chas, sean].map(machine => hub.client(tokenOf(machine)))
    const send = async (body: string) => (await sender!.call(api.sendMessage, { body: { to: 'seanclaude', body } })).id
    const ids: string[] = []
    for (let n = 1; n <= 22; n++) ids.push(await send(`message ${n}`))
    await reader!.call(api.putPolicy, { body: { inbound: 'hold' } })
    for (let n = 1; n <= 3; n++) await send(`held ${n}`)
    const { text } = await to.call('inbox', { ack: true })
    expect(idsIn(text)).toEqual(ids.slice(0, 20))
    expect(text).toMatch(/^25 unread messages\.[\s\S]*\n2 more unread\.[^\n]*\n3 messages held for your user: /)
    expect(idsIn((await to.call('inbox', { limit: 'all' })).text)).toEqual(ids.slice(20))
  })

  test('reading consumes nothing; ack: true acks only the messages that the result shows', async () => {
    const { hub, sean, from, to } = await twoSessions()
    const ids: string[] = []
    for (let n = 1; n <= 3; n++)
      ids.push(sentId(await from.call('send', { to: 'seanclaude', message: `message ${n}` })))
    expect(idsIn((await to.call('inbox')).text)).toEqual(ids)
    expect(idsIn((await to.call('inbox', { limit: 2, ack: true })).text)).toEqual(ids.slice(0, 2))
    const late = sentId(await from.call('send', { to: 'seanclaude', message: 'came later' }))
    expect(idsIn((await to.call('inbox')).text)).toEqual([ids[2], late])
    expect((await unreadOf(hub, sean)).map(({ id }) => id)).toEqual([ids[2], late])
  })

  test('acks by id show nothing, may be repeated, and name ids that were never in this inbox', async () => {
    const { hub, sean, from, to } = await twoSessions()
    const ids: string[] = []
    for (let n = 1; n <= 3; n++)
      ids.push(sentId(await from.call('send', { to: 'seanclaude', message: `message ${n}` })))
    const answer = { isError: false, text: 'Acked 2 messages; 1 unread.' }
    expect(await to.call('inbox', { ack: [ids[2], ids[0]] })).toEqual(answer)
    expect(await to.call('inbox', { ack: [ids[2], ids[0]] })).toEqual(answer)
    expect((await unreadOf(hub, sean)).map(({ id }) => id)).toEqual([ids[1]])
    expect(await to.call('inbox', { ack: [never] })).toEqual({
      isError: false,
      text: `Acked 0 messages; 1 unread. Never in this inbox, or for another project: ${never}.`,
    })
  })

  test('a reply acks the message that it answers, and refers to it', async () => {
    const { hub, sean, from, to } = await twoSessions()
    const asked = sentId(await from.call('send', { to: 'seanclaude', message: 'Is the build red?' }))
    const other = sentId(await from.call('send', { to: 'seanclaude', message: 'Something else.' }))
    await to.call('send', { to: 'chasclaude', message: 'It is.', reply_to: asked })
    expect((await unreadOf(hub, sean)).map(({ id }) => id)).toEqual([other])
    expect((await from.call('inbox')).text).toContain(`· answers ${asked}\n> It is.`)
  })

  test('machines lists all members with owners, presence and the unread count of this machine', async () => {
    const hub = await hubAlone()
    await hub.join('sean', 'human')
    const sean = await (await startMachine(hub, 'seanclaude', 'sean')).mcp()
    const chas = await (await startMachine(hub, 'chasclaude')).mcp()
    await startMachine(hub, 'jazclaude')
    await chas.call('send', { to: 'seanclaude', message: 'hello' })
    await expect
      .poll(() => machinesIn(sean))
      .toEqual([
        'You are seanclaude; 1 unread.',
        'chasclaude: machine, online',
        'jazclaude: machine, no session yet',
        'seanclaude (you): machine of sean, online',
        'sean: human, not on Telegram',
      ])
  })
})

describe('large inboxes', () => {
  test('with 300 large messages every result stays within its size limit, and its "N more" is exact to the last', async () => {
    const { hub, chas, to } = await twoSessions()
    const sender = hub.client(tokenOf(chas))
    const ids: string[] = []
    for (let n = 0; n < 300; n++) {
      const body = `${n} ${'Grüße, 👩🏽‍🚀 € \n'.repeat(40 + ((n * 37) % 160))}`
      ids.push((await sender.call(api.sendMessage, { body: { to: 'seanclaude', body } })).id)
    }
    const shown: string[] = []
    while (shown.length < 300) {
      const { text } = await to.call('inbox', { ack: true })
      const here = idsIn(text)
      expect(Buffer.byteLength(text)).toBeLessThan(answerBytes)
      expect(text).toMatch(new RegExp(`^${300 - shown.length} unread message`))
      shown.push(...here)
      const more = Number(/^(\d+) more unread/m.exec(text)?.[1] ?? 0)
      expect([here.length > 0, more]).toEqual([true, 300 - shown.length])
    }
    expect(shown).toEqual(ids)
    expect((await to.call('inbox')).text).toBe('No unread messages.')
  })

  test('any number of messages held for the user hides none of those after them', async () => {
    const { hub, chas, sean, to } = await twoSessions()
    const [sender, reader] = [chas, sean].map(machine => hub.client(tokenOf(machine)))
    const send = async (body: string) => (await sender!.call(api.sendMessage, { body: { to: 'seanclaude', body } })).id
    await reader!.call(api.putPolicy, { body: { inbound: 'hold' } })
    for (let n = 0; n < 120; n++) await send(`held ${'x'.repeat(1000)}`)
    await reader!.call(api.putPolicy, { body: { inbound: 'accept' } })
    const ids = [await send('one'), await send('two'), await send('three')]

    const limited = await to.call('inbox', { limit: 2 })
    expect(idsIn(limited.text)).toEqual(ids.slice(0, 2))
    expect(limited.text).toContain('\n1 more unread.')
    const { text } = await to.call('inbox', { ack: true })
    expect(idsIn(text)).toEqual(ids)
    expect(text).not.toContain('more unread')
    expect(text).toContain('120 messages held for your user (from chasclaude)')
    expect(text).not.toContain('xxx')
    expect((await to.call('inbox')).text).toMatch(/^No unread messages for you\.\n120 messages held/)
  })

  test('a message larger than the limit is shown alone and cut, is complete in its file, and can be acked', async () => {
    const { hub, sean, from, to } = await twoSessions()
    const before = sentId(await from.call('send', { to: 'seanclaude', message: 'before' }))
    // 32 KiB of control characters: each becomes seven or eight when made visible.
    const body = `begin\n${'\u0007\u009b'.repeat(Math.floor((32 * 1024 - 6) / 3))}`
    const large = sentId(await from.call('send', { to: 'seanclaude', message: body }))
    const after = sentId(await from.call('send', { to: 'seanclaude', message: 'after' }))

    const first = await to.call('inbox', { ack: true })
    expect(idsIn(first.text)).toEqual([before])
    expect(first.text).toContain('\n2 more unread.')

    const { text } = await to.call('inbox', { ack: true })
    expect(idsIn(text)).toEqual([large])
    expect(Buffer.byteLength(text)).toBeLessThan(answerBytes)
    expect(text).toContain('\n1 more unread.')
    expect(text).toContain('> begin\n> \\u{0007}\\u{009b}')
    const file = join(sean.home, 'inbox', `${large}.txt`)
    expect(text).toContain(`the whole text (${Buffer.byteLength(body)} bytes) is in ${file}.`)
    expect(readFileSync(file, 'utf8')).toBe(body)
    expect([statSync(file).mode & 0o777, statSync(join(sean.home, 'inbox')).mode & 0o777]).toEqual([0o600, 0o700])

    expect(idsIn((await to.call('inbox', { ack: true })).text)).toEqual([after])
    await to.call('machines')
    expect(await unreadOf(hub, sean)).toEqual([])
  })
})

describe('the MCP server as Claude Code sees it', () => {
  test('has three tools, each always loaded, and text-only results', async () => {
    const { from } = await twoSessions()
    const { tools } = await from.client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(['claude_net_send', 'claude_net_inbox', 'claude_net_machines'])
    for (const { _meta, outputSchema } of tools) {
      expect(_meta?.['anthropic/alwaysLoad']).toBe(true)
      expect(outputSchema).toBeUndefined()
    }
    for (const name of ['claude_net_inbox', 'claude_net_machines', 'claude_net_send']) {
      const args = name === 'claude_net_send' ? { to: 'seanclaude', message: 'hello' } : {}
      const result = await from.client.callTool({ name, arguments: args })
      expect(result).not.toHaveProperty('structuredContent')
      expect(result.content).toEqual([{ type: 'text', text: expect.any(String) }])
    }
  })

  test('on a machine that has not joined it starts, every tool explains how to join, and works as soon as the machine has joined', async () => {
    const hub = await hubAlone()
    await startMachine(hub, 'chasclaude')
    const machine = new TestMachine('seanclaude', tempDir('unjoined'))
    const session = await machine.mcp()
    expect((await session.client.listTools()).tools).toHaveLength(3)
    const calls = [
      ['send', { to: 'chasclaude', message: 'hello' }],
      ['inbox', {}],
      ['inbox', { ack: [never] }],
      ['machines', {}],
    ] as const
    for (const [tool, args] of calls)
      expect(await session.call(tool, args)).toMatchObject({
        isError: true,
        text: expect.stringMatching(/has not joined a hub.*\nAsk the admin for: claude-net invite NAME$/),
      })

    const { code } = await hub.client(hub.adminToken).call(api.invite, { body: { name: 'seanclaude' } })
    const join = ['join', hub.url.origin, '--machine', 'seanclaude', '--code', code, '--no-claude', '--bin']
    expect(await machine.run([...join, tempDir('bin')])).toMatchObject({ code: 0 })
    expect((await session.call('machines')).text).toMatch(/^You are seanclaude; 0 unread\./)
    expect(await session.call('send', { to: 'chasclaude', message: 'hello' })).toMatchObject({ isError: false })
    expect(await session.call('inbox')).toEqual({ isError: false, text: 'No unread messages.' })
  })

  test('a session continues, even idle, when its machine joins again and its old token is revoked', async () => {
    const { hub, sean, from, to } = await twoSessions()
    const before = tokenOf(sean)
    const { code } = await hub.client(hub.adminToken).call(api.invite, { body: { name: 'seanclaude' } })
    const join = ['join', hub.url.origin, '--machine', 'seanclaude', '--code', code, '--no-claude', '--bin']
    expect(await sean.run([...join, tempDir('bin')])).toMatchObject({ code: 0 })
    await expect(hub.client(before).call(api.readInbox)).rejects.toMatchObject({ code: 'unauthorized' })

    await from.call('send', { to: 'seanclaude', message: 'Are you there?' })
    expect((await to.call('inbox')).text).toContain('> Are you there?')
    // A restarted hub has no sessions: only a heartbeat with the new token brings this one back.
    await hub.crashAndRestart()
    await expect.poll(() => machinesIn(from), { timeout: 90_000 }).toContain('seanclaude: machine, online')
  })
})
