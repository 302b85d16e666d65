import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { startHub } from './support/hub.ts'
import { startMachine } from './support/machine.ts'
import { hubNode, run } from './support/program.ts'
import { raw } from './support/raw.ts'
import { tempDir } from './support/temp.ts'
import { TestState } from './support/test-state.ts'
import { until } from './support/until.ts'

// Each test starts many processes.
vi.setConfig({ testTimeout: 180_000 })

const dayMs = 86_400_000

/** Starts a hub on a store with two messages that are 40 days old: one that beta read then, and an unread one. */
async function withOldMessages() {
  const dataDir = join(tempDir('keeping'), 'data')
  const made = new TestState(dataDir)
  made.time = Date.now() - 40 * dayMs
  const [alpha, beta] = [made.joined('alpha'), made.joined('beta')]
  const read = made.send(alpha.id, 'beta', undefined, 'an old walrus')
  made.do({ type: 'inbox.ack', by: beta.id, ids: [read] })
  const unread = made.send(alpha.id, 'beta', undefined, 'an unread walrus')
  // The last entry is recent, as if the hub had run until now.
  made.time = Date.now()
  made.member('gamma')
  made.state.close()
  const hub = await startHub({ dataDir })
  return { hub, alpha: hub.client(alpha.token), beta: hub.client(beta.token), read, unread }
}

test('a hub deletes texts 30 days after they were read, reports it, and keeps unread messages', async () => {
  const { hub, alpha, beta, read, unread } = await withOldMessages()
  const { message, receipts } = await until('the text is deleted', async () => {
    const found = await alpha.call(api.getMessage, { params: { id: read } })
    return found.message.body === '' && found
  })
  expect(Date.parse(message.textDeletedAt!)).toBeGreaterThan(Date.now() - 60_000)
  expect(receipts).toMatchObject([{ name: 'beta', status: 'acked' }])
  const found = await alpha.call(api.listMessages, { query: { q: 'walrus' } })
  expect(found.messages.map(entry => entry.message.id)).toEqual([unread])
  const all = await alpha.call(api.listMessages)
  expect(all.messages.map(entry => entry.message.id)).toEqual([unread, read])
  expect((await beta.call(api.readInbox)).messages).toMatchObject([{ id: unread, body: 'an unread walrus' }])

  // The id is bound for a year: an identical send is a repetition, anything else a conflict.
  const again = (body: string) => alpha.call(api.sendMessage, { body: { id: read, to: 'beta', body } })
  expect(await again('an old walrus')).toMatchObject({ seq: message.seq })
  await expect(again('')).rejects.toMatchObject({ code: 'invalid' })
  await expect(again('another')).rejects.toMatchObject({ code: 'conflict' })
  expect(await hub.stop()).toBe(0)
})

test('deleted texts stay deleted after a kill', async () => {
  const { hub, alpha, read } = await withOldMessages()
  const text = async () => (await alpha.call(api.getMessage, { params: { id: read } })).message.body
  await until('the text is deleted', async () => (await text()) === '')
  await hub.crashAndRestart()
  expect(await text()).toBe('')
})

test('the history of a machine shows that a text was deleted, and no message text can imitate that', async () => {
  const { hub } = await withOldMessages()
  const machine = await startMachine(hub, 'alpha')
  const shown = await until('the text is deleted', async () => {
    const { stdout } = await machine.run(['history'])
    return stdout.includes('text deleted') && stdout
  })
  expect(shown).toMatch(
    /\n {2}\(text deleted after 40 days, at 20\S+: this hub keeps texts no longer\)\n {2}beta: acked 40 days ago, not answered yet\n/,
  )
  expect(shown).toContain('> an unread walrus')
})

test('the admin sees and changes the days; the audit records who changed them', async () => {
  const hub = await startHub()
  const settings = (...args: string[]) => run(['settings', ...args, '--data', hub.dataDir], { node: hubNode })
  expect((await settings()).stdout).toMatch(
    /^Texts are deleted 30 days after everybody has read them, or they expired\. Unread messages stay\.\nAn inbox takes 10000 /,
  )
  expect(JSON.parse((await settings('--keep-text', '7', '--json')).stdout)).toMatchObject({ keepTextDays: 7 })
  for (const wrong of ['0', '3651', '1.5', 'x', '']) {
    expect(await settings('--keep-text', wrong)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('1 to 3650'),
    })
  }
  const answer = await raw(hub, {
    path: '/v1/admin/settings',
    method: 'PUT',
    token: hub.adminToken,
    body: { keepTextDays: 0 },
  })
  expect(answer.status).toBe(400)
  const { lines } = await hub.client(hub.adminToken).call(api.listAudit, { query: { action: 'putSettings' } })
  expect(lines).toMatchObject([
    { result: 'invalid', detail: 'keepTextDays=0' },
    { result: 'ok', detail: 'keepTextDays=7' },
  ])
  await hub.crashAndRestart()
  expect((await settings()).stdout).toContain('7 days')
})
