import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { qrPath } from '../../src/console/people/qr-path.ts'
import { api } from '../../src/protocol/api.ts'
import { joinLine } from '../../src/protocol/join-line.ts'
import { mintToken } from '../../src/protocol/token.ts'
import { axeFindings, consoleBrowser, goTo, screenshot } from '../support/console-browser.ts'
import type { TestMember } from '../support/hub.ts'
import { sharedHub } from '../support/shared-hub.ts'
import { until } from '../support/until.ts'

const hub = sharedHub()
const browser = consoleBrowser()
beforeEach(context => browser.need(context))

let sean: TestMember
let seanclaude: TestMember
let ovh5: TestMember
const admin = () => hub.client(hub.adminToken)

beforeAll(async () => {
  sean = await hub.join('sean', 'human')
  await hub.join('jaz', 'human')
  seanclaude = await hub.join('seanclaude', 'machine', 'sean')
  ovh5 = await hub.join('ovh5')
  await admin().call(api.putGroup, { params: { name: 'backend' }, body: { members: ['seanclaude', 'ovh5'] } })
})

const row = (page: Page, name: string) =>
  page.locator('.member-row', { has: page.locator('b', { hasText: new RegExp(`^${name}$`) }) })
const button = (page: Page, name: string | RegExp) =>
  page.getByRole('button', { name, exact: typeof name === 'string' })
const panel = (page: Page, title: string) => page.locator('.panel', { has: page.locator('h2', { hasText: title }) })
/** The browser's error message for a request that the hub refuses, as the test intends. */
const refusals = /the server responded with a status of 40[04]/
/** Waits for a toast that contains `words`. */
const told = (page: Page, words: string) => page.locator('.toast', { hasText: words }).waitFor()

/** Returns everything that the browser stores of the page, as one text. */
const kept = (page: Page) =>
  page.evaluate<string>(
    'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href, history.state, document.documentElement.outerHTML, document.cookie])',
  )

describe('an invitation', () => {
  test('shows the line of claude-net invite, as text and as a QR code, which works and is stored nowhere', async () => {
    const { page } = await browser.open(hub, { at: '#/members' })
    await button(page, 'Invite').click()
    await page.getByLabel('Name', { exact: true }).fill('newclaude')
    await page.getByLabel('Owner').fill('sean')
    await button(page, 'Create join line').click()
    const line = (await page.locator('.copy-line code').textContent())!
    const code = /\/join\/([A-Z0-9-]+)"/.exec(line)![1]!
    expect(line).toBe(joinLine({ origin: hub.url.origin, code, hubKey: hub.hubKey }))
    expect(await page.locator('.qr path').last().getAttribute('d')).toBe(qrPath(line)!.path)
    await screenshot(page, 'invite-laptop-light')
    expect(await axeFindings(page)).toEqual([])
    const answer = await hub
      .client()
      .call(api.join, { body: { code, machine: 'newclaude', token: mintToken('machine') } })
    expect(answer).toEqual({ name: 'newclaude', kind: 'machine' })
    await button(page, 'Done').click()
    await row(page, 'newclaude').waitFor()
    expect(await kept(page)).not.toContain(code)
    const { members } = await admin().call(api.listMembers)
    expect(members.find(({ name }) => name === 'newclaude')).toMatchObject({ owner: 'sean' })
  })

  test('goes through ssh, to another address, or by --plain, as claude-net invite does; an invalid address gives no line', async () => {
    const { page } = await browser.open(hub, { at: '#/members/ovh5' })
    await button(page, 'New token').click()
    await button(page, 'Create join line').click()
    const line = page.locator('.copy-line code')
    const code = /\/join\/([A-Z0-9-]+)"/.exec((await line.textContent())!)![1]!
    const { hubKey } = hub
    // If the hub accepts requests from its own host only, the dialog shows other ways.
    await page.getByText('The hub accepts connections only from its own host.').waitFor()
    await page.getByLabel('SSH host').fill('ovh5')
    await expect
      .poll(() => line.textContent())
      .toBe(joinLine({ origin: 'http://localhost:3500', code, via: 'ovh5', hubKey }))
    await page.getByLabel('SSH host').fill('-oProxyCommand=id')
    await expect.poll(() => line.count()).toBe(0)
    await page.getByLabel('SSH host').fill('')
    await page.getByLabel('Hub address').selectOption('another')
    await page.getByLabel('Other address').fill("http://hub'$(id)")
    expect(await line.count()).toBe(0)
    await page.getByLabel('Other address').fill('https://hub.example.org')
    await expect.poll(() => line.textContent()).toBe(joinLine({ origin: 'https://hub.example.org', code }))
  })

  test('of another admin appears in the list automatically', async () => {
    const { page } = await browser.open(hub, { at: '#/members?q=lateclaude' })
    await page.locator('.state.empty', { hasText: 'No matching members' }).waitFor()
    await admin().call(api.invite, { body: { name: 'lateclaude' } })
    await row(page, 'lateclaude').getByText('no access').waitFor()
  })
})

describe('the page of a member', () => {
  test('changes its owner, aliases, groups, addresses and policy', async () => {
    const { page } = await browser.open(hub, { at: '#/members/ovh5', allow: refusals })
    const who = panel(page, 'Identity')
    await who.getByRole('button', { name: 'Edit' }).click()
    await who.getByLabel('Owner').fill('jaz')
    await who.getByRole('button', { name: 'Save' }).click()
    await who.getByRole('link', { name: 'jaz' }).waitFor()
    await who.getByRole('button', { name: 'Add' }).click()
    await who.getByLabel('New alias').fill('frontdoor')
    await who.getByRole('button', { name: 'Add' }).click()
    await who.getByRole('button', { name: 'Remove alias frontdoor' }).waitFor()

    const mail = panel(page, 'Policy')
    await mail.getByLabel('Incoming messages').selectOption('hold')
    await mail.getByRole('button', { name: 'Save' }).click()
    await told(page, 'ovh5 now holds messages.')
    await mail.getByLabel('Mute a sender').fill('seanclaude')
    await mail.getByRole('button', { name: 'Mute', exact: true }).click()
    await mail.getByRole('button', { name: 'Unmute seanclaude' }).waitFor()

    await button(page, 'Bind to addresses').click()
    await page.getByLabel('Address ranges').fill('10.0.0.0/33')
    await button(page, 'Save').click()
    await page.locator('.toast.bad', { hasText: 'not a range of addresses' }).waitFor()
    await page.getByLabel('Address ranges').fill('10.0.3.0/24, loopback')
    await page.locator('dialog').getByRole('button', { name: 'Save' }).click()
    await page.getByText('valid only from 10.0.3.0/24, 127.0.0.0/8, ::1/128.').first().waitFor()

    const { members } = await admin().call(api.listMembers)
    expect(members.find(({ name }) => name === 'ovh5')).toMatchObject({
      owner: 'jaz',
      aliases: ['frontdoor'],
      boundTo: ['10.0.3.0/24', '127.0.0.0/8', '::1/128'],
    })
    const policy = await admin().call(api.getMemberPolicy, { params: { name: 'ovh5' } })
    expect(policy).toEqual({ inbound: 'hold', mute: ['seanclaude'] })
  })

  test('requires the name to be typed for changes that cannot be undone', async () => {
    const doomed = await hub.join('doomed')
    await seanclaude.client.call(api.sendMessage, { body: { to: 'doomed', body: 'hello' } })
    const { page } = await browser.open(hub, { at: '#/members/doomed', allow: refusals })
    const dialog = page.locator('dialog')
    const sure = async (action: string) => {
      await dialog.getByLabel('Type doomed to confirm').fill('doome')
      expect(await dialog.getByRole('button', { name: action }).isDisabled()).toBe(true)
      await dialog.getByLabel('Type doomed to confirm').fill('doomed')
      await dialog.getByRole('button', { name: action }).click()
    }
    await button(page, 'Revoke').click()
    await sure('Revoke')
    await told(page, 'The tokens of doomed were revoked.')
    await expect(doomed.client.call(api.readInbox)).rejects.toMatchObject({ code: 'unauthorized' })
    await page.getByText('doomed has no token').waitFor()
    await button(page, 'Delete doomed').click()
    await sure('Delete permanently')
    await told(page, 'doomed was deleted; 1 unread message expired.')
    await expect.poll(() => page.url()).toMatch(/#\/members$/)
    await goTo(page, '#/members/doomed')
    await page.getByText('No such member').waitFor()
  })

  test('renames, and creates, changes and deletes groups', async () => {
    await hub.join('oldname')
    const { page } = await browser.open(hub, { at: '#/members/oldname', allow: refusals })
    await button(page, 'Rename').click()
    await page.getByLabel('New name').fill('newname')
    await page.locator('dialog').getByRole('button', { name: 'Rename' }).click()
    await expect.poll(() => page.url()).toMatch(/#\/members\/newname$/)
    await goTo(page, '#/members')
    await button(page, 'New group').click()
    await page.getByLabel('Name', { exact: true }).fill('night')
    await page.getByLabel('Members', { exact: true }).fill('newname, nobody-here')
    await button(page, 'Save').click()
    await page.locator('.toast.bad', { hasText: "'nobody-here'" }).waitFor()
    await page.getByLabel('Members', { exact: true }).fill('newname seanclaude')
    await button(page, 'Save').click()
    await told(page, 'night has 2 members.')
    await button(page, 'Delete night').click()
    await page.getByLabel('Type night to confirm').fill('night')
    await button(page, 'Delete the group').click()
    await told(page, 'The group night was deleted.')
    expect((await admin().call(api.listGroups)).groups.map(({ name }) => name)).toEqual(['backend'])
  })

  test('shows status lines of sessions as text only', async () => {
    const evil = '<img src=x onerror="globalThis.broken=1">\u202e'
    await seanclaude.client.call(api.heartbeat, {
      body: {
        session: 's1',
        client: '<b>claude-net/0.0.1</b>',
        project: 'billing',
        branch: '<script>alert(1)</script>',
        busySince: new Date().toISOString(),
        status: evil,
        statusSetAt: new Date().toISOString(),
      },
    })
    const { page } = await browser.open(hub, { at: '#/members/seanclaude' })
    await panel(page, 'Sessions').getByText('<img src=x onerror="globalThis.broken=1">\\u{202e}').waitFor()
    await panel(page, 'Sessions').getByText('<script>alert(1)</script>').waitFor()
    expect(await page.locator('.panel img, .panel script').count()).toBe(0)
    expect(await page.evaluate('globalThis.broken')).toBeUndefined()
  })
})

describe('a member that is not an admin', () => {
  test('sees everyone, changes what they own, and is told why the rest is hidden', async () => {
    const { page } = await browser.open(hub, { token: sean.token, at: '#/members' })
    await row(page, 'seanclaude').getByText('yours').waitFor()
    expect(await page.locator('.member-row b').first().textContent()).toMatch(/^(sean|newclaude|seanclaude)$/)
    expect(await page.getByText('no access').count()).toBe(0)
    for (const name of ['Invite', 'New group']) expect(await button(page, name).count()).toBe(0)
    await row(page, 'seanclaude').click()
    const mail = panel(page, 'Policy')
    await mail.getByLabel('Incoming messages').selectOption('hold')
    await mail.getByRole('button', { name: 'Save' }).click()
    await told(page, 'seanclaude now holds messages.')
    for (const name of ['Access', 'Delete']) expect(await panel(page, name).count()).toBe(0)
    await goTo(page, '#/members/ovh5')
    await page.getByText('Only the member itself, its owner and the admin see its policy').waitFor()
    expect(await panel(page, 'Policy').count()).toBe(0)
    for (const at of ['health', 'audit', 'webhooks']) {
      await goTo(page, `#/${at}`)
      await page.locator('.state.empty', { hasText: 'You are logged in as sean' }).waitFor()
      expect(await axeFindings(page)).toEqual([])
    }
  })
})

describe('health', () => {
  test('reports problems and shows the figures; a backup can be made there', async () => {
    const { page } = await browser.open(hub, { at: '#/health' })
    await page.getByText('seanclaude').first().waitFor()
    await panel(page, 'Store').getByText('accepted').waitFor()
    await panel(page, 'Access').getByText(hub.hubKey).waitFor()
    await button(page, 'Back up now').click()
    await told(page, 'was made and verified.')
    await panel(page, 'Backups').getByText('just now').waitFor()
  })
})

describe('the audit', () => {
  test('shows who did what to whom, filters by name, action and time, and loads older lines while scrolling', async () => {
    await Promise.all(
      Array.from({ length: 130 }, (_, at) =>
        admin().call(api.putAlias, { params: { name: `alias-${at}` }, body: { member: 'jaz' } }),
      ),
    )
    await until('the lines', async () => {
      const { lines, more } = await admin().call(api.listAudit, { query: { action: 'putAlias' } })
      return lines.length + more > 130
    })
    const { page } = await browser.open(hub, { at: '#/audit?action=putAlias' })
    const list = page.locator('.audit-list')
    await list.locator('.audit-line').first().getByText('putAlias').waitFor()
    expect(await list.locator('.audit-line').count()).toBeLessThan(60)
    const setSize = () => list.locator('li').first().getAttribute('aria-setsize')
    expect(await setSize()).toBe('100')
    await list.evaluate(
      element => ((element as unknown as { scrollTop: number; scrollHeight: number }).scrollTop = 1e6),
    )
    await expect.poll(setSize).toBe('131')
    await page.getByLabel('Action').fill('login')
    await page.getByLabel('Actor').fill('nobody')
    await page.getByText('No matching lines').waitFor()
    await button(page, 'Clear filters').click()
    await list.locator('.audit-line').first().waitFor()
  })
})

describe('sessions', () => {
  test('are visible to their member and the admin, and end at once when revoked', async () => {
    const { page: phone } = await browser.open(hub, {
      token: sean.token,
      size: 'phone',
      at: '#/sessions',
      allow: /status of 401/,
    })
    await phone.getByText('this browser', { exact: true }).waitFor()
    expect(await phone.getByText('admin', { exact: true }).count()).toBe(0)
    const { page } = await browser.open(hub, { at: '#/sessions' })
    expect(await axeFindings(page)).toEqual([])
    const others = page.locator('tr', { hasText: 'sean' })
    await others.first().waitFor()
    for (let left = await others.count(); left > 0; left--) {
      await others.first().getByRole('button', { name: 'End' }).click()
      await expect.poll(() => others.count()).toBe(left - 1)
    }
    await phone.getByText('Your session has ended').waitFor()
    await button(page, 'Log out').click()
    await page.getByText('Open the console with a link').waitFor()
    expect(await page.evaluate('localStorage.length')).toBe(0)
  })
})

describe('webhooks', () => {
  test('incoming ones are created, tested, changed, rotated and deleted; their secrets are shown once', async () => {
    const { page } = await browser.open(hub, { at: '#/webhooks' })
    const dialog = page.locator('dialog')
    const incoming = panel(page, 'Incoming webhooks')
    await incoming.getByRole('button', { name: 'Add' }).click()
    await dialog.getByLabel('Source').selectOption('generic')
    await dialog.getByLabel('Name', { exact: true }).fill('deploys')
    await dialog.getByLabel('To', { exact: true }).fill('jaz')
    await dialog.getByLabel('Require signed calls').check()
    await dialog.getByRole('button', { name: 'Add' }).click()
    const secrets = dialog.locator('.copy-line code')
    await expect.poll(() => secrets.count()).toBe(2)
    const before = await secrets.allTextContents()
    expect(before[0]).toMatch(new RegExp(`^${hub.url.origin}/webhooks/deploys/[\\w-]+$`))
    // A click beside the dialog or a stray key does not close it.
    await page.mouse.click(5, 400)
    await page.keyboard.press('Escape')
    expect(await secrets.count()).toBe(2)
    expect(await axeFindings(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Done' }).click()
    await incoming.getByText('Not called since').waitFor()
    for (const secret of before) expect(await kept(page)).not.toContain(secret.split('/').at(-1))

    await incoming.getByRole('button', { name: 'Test' }).click()
    await told(page, 'A test event of deploys was stored for jaz.')
    await incoming.getByRole('button', { name: 'Edit' }).click()
    await dialog.getByLabel('To', { exact: true }).fill('jaz, backend')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await incoming.getByText('jaz, backend').waitFor()
    await incoming.getByRole('button', { name: 'New secret' }).click()
    await dialog.getByRole('button', { name: 'Create new secret' }).click()
    await expect.poll(() => secrets.count()).toBe(2)
    expect(await secrets.allTextContents()).not.toEqual(before)
    await dialog.getByRole('button', { name: 'Done' }).click()
    await incoming.getByRole('button', { name: 'Delete' }).click()
    await dialog.getByLabel('Type deploys to confirm').fill('deploys')
    await dialog.getByRole('button', { name: 'Delete the webhook' }).click()
    await incoming.getByText('No incoming webhooks yet').waitFor()
  })

  test('outgoing ones are created and tested; events that a receiver rejected are retried or deleted', async () => {
    let status = 410
    const got: string[] = []
    const receiver = createServer((request, answer) => {
      got.push(String(request.headers['webhook-id']))
      answer.writeHead(status).end()
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void receiver.close())
    await once(receiver, 'listening')
    const { port } = receiver.address() as AddressInfo
    const { page } = await browser.open(hub, { at: '#/webhooks', allow: refusals })
    const dialog = page.locator('dialog')
    const outgoing = panel(page, 'Outgoing webhooks')
    await outgoing.getByRole('button', { name: 'Add' }).click()
    await dialog.getByLabel('URL').fill(`http://127.0.0.1:${port}/secret-part`)
    await dialog.getByLabel('Name', { exact: true }).fill('pager')
    await dialog.getByLabel('Events').fill('to whom it may concern')
    await dialog.getByRole('button', { name: 'Add' }).click()
    await page.locator('.toast.bad').waitFor()
    await page.locator('.toast.bad').getByRole('button', { name: 'Close' }).click()
    await dialog.getByLabel('Events').fill('to jaz')
    await dialog.getByRole('button', { name: 'Add' }).click()
    const secret = await dialog.locator('.copy-line code').textContent()
    await dialog.getByRole('button', { name: 'Done' }).click()
    expect(await kept(page)).not.toContain(secret)
    expect(await kept(page)).not.toContain('secret-part')

    await ovh5.client.call(api.sendMessage, { body: { to: 'jaz', body: 'the first' } })
    await outgoing.getByText('1 dead letter').waitFor()
    await outgoing.getByText('disabled: nothing is posted').waitFor()
    await outgoing.getByRole('button', { name: 'Dead letters' }).click()
    await dialog.getByText('ovh5').first().waitFor()
    expect(await axeFindings(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Delete all' }).click()
    await dialog.getByLabel('Type pager to delete').fill('page')
    expect(await dialog.getByRole('button', { name: 'Delete all' }).isDisabled()).toBe(true)
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    status = 200
    await dialog.locator('header').getByRole('button', { name: 'Close' }).click()
    await outgoing.getByRole('button', { name: 'Test' }).click()
    await told(page, 'pager accepted a test event')
    await outgoing.getByRole('button', { name: 'Dead letters' }).click()
    await dialog.getByRole('button', { name: 'Retry all' }).click()
    await dialog.getByText('No dead letters').waitFor()
    // The receiver got the refused event, the test event, and the refused one again under its own id.
    await until('the event that was tried again', () => got.filter(id => id === got[0]).length > 1)
    await dialog.locator('header').getByRole('button', { name: 'Close' }).click()
    await outgoing.getByRole('button', { name: 'Delete' }).click()
    await dialog.getByLabel('Type pager to confirm').fill('pager')
    await dialog.getByRole('button', { name: 'Delete the webhook' }).click()
    await outgoing.getByText('No outgoing webhooks yet').waitFor()
  })
})

describe('every page', () => {
  const places = ['#/members', '#/members/seanclaude', '#/health', '#/audit', '#/sessions', '#/webhooks']

  test.for([
    ['light', 'laptop'],
    ['dark', 'phone'],
  ] as const)('has no serious finding of axe, and fits, in %s on a %s', async ([theme, size]) => {
    const { page } = await browser.open(hub, { theme, size })
    for (const at of places) {
      await goTo(page, at)
      await page.locator('main h1').waitFor()
      await expect.poll(() => page.locator('.state.loading').count()).toBe(0)
      expect([at, await axeFindings(page)]).toEqual([at, []])
      const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
      expect([at, overflow]).toEqual([at, 0])
      await screenshot(page, `${at.split('/')[2] ? 'member' : at.slice(2)}-${size}-${theme}`)
    }
  })
})
