import type { Page } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import { api } from '../../src/protocol/api.ts'
import { newMessageId } from '../../src/protocol/ids.ts'
import { axeFindings, consoleBrowser, goTo, linkFor, screenshot, sizes } from '../support/console-browser.ts'
import type { TestMember } from '../support/hub.ts'
import { sharedHub } from '../support/shared-hub.ts'
import { until } from '../support/until.ts'

const hub = sharedHub()
const browser = consoleBrowser()
let sean: TestMember
let seanclaude: TestMember
let chasclaude: TestMember

beforeAll(async () => {
  sean = await hub.join('sean', 'human')
  seanclaude = await hub.join('seanclaude', 'machine', 'sean')
  chasclaude = await hub.join('chasclaude')
})

/** The browser logs this for each response that is not 2xx, and for each failed connection. */
const refusals = /Failed to load resource/

/** The browser logs these for requests while the hub is down. */
const unreachable = /Failed to load resource|net::ERR|fetching the script/

const seen = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor()

/** Ids of the messages of `someWork`, so that a repetition does not store them again. */
const workIds = Array.from({ length: 3 }, newMessageId)

/** Creates sessions and messages, so that pages have content. Runs before other tests, for the screenshots of the documents. */
async function someWork(): Promise<void> {
  const since = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()
  const beat = ({ client }: TestMember, session: string, more: object) =>
    client.call(api.heartbeat, { body: { session, client: 'claude-net/0.1.0', ...more } })
  await beat(seanclaude, 's1', {
    ...{ project: 'billing', branch: 'main', busySince: since(3) },
    ...{ status: 'moves the invoices to the new index', statusSetAt: since(2) },
  })
  await beat(seanclaude, 's2', { project: 'website', branch: 'feature/header', idleSince: since(40) })
  await beat(chasclaude, 's3', {
    project: 'orders',
    branch: 'main',
    prompt: { id: 'p1', tool: 'Bash', since: since(7) },
  })
  const send = (
    { client }: TestMember,
    body: { id: string; to: string; body: string; intent?: 'inform' | 'urgent' | 'request' },
  ) => client.call(api.sendMessage, { body })
  const [deployed, failing, rollback] = workIds as [string, string, string]
  await send(seanclaude, {
    id: deployed,
    to: 'chasclaude',
    intent: 'inform',
    body: 'billing is deployed: the migration took 40 s.',
  })
  await chasclaude.client.call(api.ackInbox, { body: { ids: [deployed] } })
  await send(chasclaude, {
    id: failing,
    to: 'seanclaude',
    intent: 'urgent',
    body: 'The gateway returns 500 since 14:02. Is that yours?',
  })
  await send(seanclaude, {
    id: rollback,
    to: 'sean',
    intent: 'request',
    body: 'May I roll billing back to the version of this morning?',
  })
}

test.for([
  ['laptop', 'light'],
  ['phone', 'dark'],
  ['laptop', 'dark'],
  ['phone', 'light'],
] as const)(
  'Now and its menu on a %s in %s have no serious finding of axe, and do not overflow',
  async ([size, theme], context) => {
    browser.need(context)
    await someWork()
    const { page } = await browser.open(hub, { token: sean.token, at: '#/now', size, theme })
    await page.locator('.chart canvas').nth(2).waitFor()
    await page.locator('.now-session').first().waitFor()
    await screenshot(page, `now-${size}-${theme}`)
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(sizes[size].width)
    await page.locator('.bar .me').click()
    await seen(page, 'Notifications while this tab is hidden')
    await screenshot(page, `menu-${size}-${theme}`)
    // Each size and each theme is checked once, since a check is slow.
    if ((size === 'laptop') === (theme === 'light')) expect(await axeFindings(page)).toEqual([])
  },
)

test('a link lets one browser in, leaves the address at once, and tells a second browser that it was used', async context => {
  browser.need(context)
  const link = await linkFor(hub, sean.token)
  const { page } = await browser.openStranger(hub, { at: link.slice(1) })
  await page.locator('.nav').waitFor()
  expect(await page.evaluate('location.href')).toBe(`${hub.url.origin}/#/now`)
  expect(await page.locator('.bar .me').textContent()).toContain('sean')
  // The browser stays logged in: the session is in its cookie and its storage.
  await page.reload()
  await page.locator('.nav').waitFor()

  const second = await browser.openStranger(hub, { at: link.slice(1), allow: refusals })
  await second.page.locator('.state.failed').waitFor()
  expect(await second.page.locator('.state.failed').textContent()).toMatch(/used/)
  await seen(second.page, 'claude-net console --as-me')
  expect(await second.page.evaluate('location.hash')).toBe('#/now')
})

test('a link opened during an existing session is used only after confirmation', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { token: sean.token, at: '#/now' })
  await page.locator('.nav').waitFor()
  const me = () => page.locator('.bar .me').textContent()
  const link = await linkFor(hub, seanclaude.token)
  const follow = () => page.evaluate(`location.hash = ${JSON.stringify(link.slice(1))}`)
  await follow()
  await page.getByRole('button', { name: 'Stay as sean' }).click()
  await page.locator('.nav').waitFor()
  expect(await me()).toContain('sean')
  expect(await page.evaluate('location.hash')).toBe('#/now')
  await follow()
  await page.getByRole('button', { name: 'Use the link' }).click()
  await expect.poll(me).toContain('seanclaude')
})

test('a message and its receipts appear as they happen; its text is shown as text, escaped as in the terminal', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { token: sean.token, at: '#/now' })
  await seen(page, /^live$/)
  const text = '<img src=x onerror=alert(1)> \u202Egpj.exe'
  const { id } = await chasclaude.client.call(api.sendMessage, { body: { to: 'seanclaude', body: text } })
  const item = page.locator('.now-feed .feed-item').first()
  await expect.poll(() => item.textContent()).toContain('<img src=x onerror=alert(1)> \\u{202e}gpj.exe')
  await seanclaude.client.call(api.ackInbox, { body: { ids: [id] } })
  await expect.poll(() => item.textContent()).toContain('acked by seanclaude')
  expect(await page.locator('img').count()).toBe(0)

  await seanclaude.client.call(api.heartbeat, {
    body: {
      session: 's1',
      client: 'test/1',
      project: 'billing',
      branch: 'main',
      status: 'the invoices <b>now</b> \u202Etxt.exe',
    },
  })
  const member = page.locator('.now-member', { hasText: 'seanclaude' }).first()
  await expect.poll(() => member.textContent()).toMatch(/billing.*main.*the invoices <b>now<\/b> \\u\{202e\}txt\.exe/)
  await item.locator('a.whole').click()
  expect(await page.evaluate('location.hash')).toBe(`#/messages/${id}`)
})

test('an admin sees that a message was sent and its size, but not its text', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { at: '#/now' })
  await seen(page, /^live$/)
  await chasclaude.client.call(api.sendMessage, { body: { to: 'seanclaude', body: 'between the two of us' } })
  await expect.poll(() => page.locator('.now-feed .feed-item').first().textContent()).toContain('21 bytes')
  expect(await page.locator('body').textContent()).not.toContain('between the two')
})

test('keys open every page, the search and the list of keys; Escape closes it', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { at: '#/now' })
  for (const [key, hash] of [
    ['c', '#/conversations'],
    ['h', '#/health'],
    ['n', '#/now'],
  ] as const) {
    await page.keyboard.press('g')
    await page.keyboard.press(key)
    await expect.poll(() => page.evaluate('location.hash')).toContain(hash)
    await page.locator(`.nav [aria-current=page][href="${hash}"]`).waitFor()
  }
  await page.locator('main input[type=search]').waitFor()
  await page.keyboard.press('/')
  expect(await page.evaluate('document.activeElement.type')).toBe('search')
  // Keys typed into a field are not shortcuts of the page.
  await page.keyboard.type('gc?')
  expect(await page.locator('main input[type=search]').inputValue()).toBe('gc?')
  await page.evaluate('document.activeElement.blur()')
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
  await page.keyboard.press('Escape')
  await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
})

test('a revoked session ends at once, and the page says so', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { token: sean.token, allow: refusals })
  await seen(page, /^live$/)
  await hub.client(hub.adminToken).call(api.consoleRevoke, { params: { id: 'all' } })
  await seen(page, 'Your session has ended')
  expect(await page.locator('.nav').count()).toBe(0)
  expect(await page.evaluate('localStorage.length')).toBe(0)
})

test('a logout affects every tab of the browser', async context => {
  browser.need(context)
  const { page, context: all } = await browser.open(hub, { token: sean.token, allow: refusals })
  const other = await all.newPage()
  await other.goto('/')
  await other.locator('.nav').waitFor()
  await page.locator('.bar .me').click()
  await page.getByRole('button', { name: 'Log out' }).click()
  await seen(page, 'Open the console with a link')
  await expect.poll(() => other.locator('.nav').count()).toBe(0)
})

test('while the hub is down the page says so and keeps its content; then it is live again', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { at: '#/now', allow: unreachable })
  await seen(page, /^live$/)
  await page.locator('.now-member').first().waitFor()
  await hub.stop()
  await page.locator('.trouble').waitFor()
  expect(await page.locator('.now-member').count()).toBeGreaterThan(0)
  await screenshot(page, 'offline')
  await hub.start()
  // The page may reconnect before the button can be pressed.
  const isLive = seen(page, /^live$/)
  await Promise.race([
    isLive,
    page
      .getByRole('button', { name: 'Retry now' })
      .click()
      .catch(() => {}),
  ])
  await isLive
  await expect.poll(() => page.locator('.trouble').count()).toBe(0)
  const { id } = await chasclaude.client.call(api.sendMessage, { body: { to: 'seanclaude', body: 'after the break' } })
  await expect.poll(() => page.locator(`.feed-item a[href="#/messages/${id}"]`).count()).toBe(1)
})

test('in a secure context the page can be installed, and opens without a hub to report that', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { allow: unreachable })
  const isReady = 'navigator.serviceWorker.ready.then(({ active }) => active !== null)'
  expect(await page.evaluate(isReady)).toBe(true)
  // The second load passes through the worker, which stores what it returns.
  await until('the worker has the page', async () => {
    await page.reload()
    await page.locator('.nav').waitFor()
    return page.evaluate('navigator.serviceWorker.controller !== null')
  })
  expect(await page.evaluate('caches.open("console").then(all => all.match("/")).then(Boolean)')).toBe(true)
  const manifest = (await (await fetch(new URL('/console/manifest.webmanifest', hub.url))).json()) as {
    icons: { src: string; sizes: string }[]
  }
  for (const { src } of manifest.icons) expect((await fetch(new URL(src, hub.url))).status, src).toBe(200)
  await hub.stop()
  await page.reload()
  await seen(page, 'The hub does not respond.')
  await hub.start()
  await page.getByRole('button', { name: 'Retry now' }).click()
  await page.locator('.nav').waitFor()
})

test('the title counts messages that arrive while the tab is hidden, until it is visible again', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { token: sean.token, at: '#/now' })
  await seen(page, /^live$/)
  await expect.poll(() => page.title()).toBe('Now · Claude Net')
  const hide = (state: string) =>
    page.evaluate(`Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))`)
  await hide('hidden')
  for (const to of ['sean', 'seanclaude', 'sean'])
    await chasclaude.client.call(api.sendMessage, { body: { to, body: 'are you there?' } })
  // Messages for a machine of theirs are not counted.
  await expect.poll(() => page.title()).toBe('(2) Now · Claude Net')
  expect(await page.locator('link[rel=icon]').getAttribute('href')).toBe('/console/icon-new.svg')
  await hide('visible')
  await expect.poll(() => page.title()).toBe('Now · Claude Net')
})

test('an unknown address says so, and links to a page', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { at: '#/nowhere/%zz' })
  await seen(page, 'Page not found')
  await goTo(page, '#/now')
  await page.locator('.figures').waitFor()
})
