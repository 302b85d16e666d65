import type { Page } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import { api } from '../../src/protocol/api.ts'
import { axeFindings, consoleBrowser, goTo, linkFor, screenshot } from '../support/console-browser.ts'
import { hostileBodies } from '../support/hostile-text.ts'
import type { TestMember } from '../support/hub.ts'
import { TestHub } from '../support/hub.ts'
import { makeLongConversation } from '../support/long-conversation.ts'
import { sharedHub } from '../support/shared-hub.ts'

/** Number of messages of the long conversation, and the minimum number that a test loads. */
const longConversation = 10_000
const loadedMessages = 400
const hub = sharedHub(dataDir => {
  makeLongConversation(dataDir, longConversation)
  return new TestHub({ dataDir })
})
const browser = consoleBrowser()

/** A human with a machine, a machine of another human with a project, and a machine without an owner. */
let sean: TestMember

let chasclaude: TestMember
let backend: TestMember
let writer: TestMember

beforeAll(async () => {
  sean = await hub.join('sean', 'human')
  await hub.join('chas', 'human')
  await hub.join('seanclaude', 'machine', 'sean')
  chasclaude = await hub.join('chasclaude', 'machine', 'chas')
  backend = await hub.join('backend-prod')
  writer = await hub.join('writer', 'human')
  const admin = hub.client(hub.adminToken)
  await admin.call(api.putAlias, { params: { name: 'api' }, body: { member: 'backend-prod' } })
  await admin.call(api.putGroup, { params: { name: 'back' }, body: { members: ['backend-prod', 'chasclaude'] } })
  await startBackendSession()
})

/** Starts a session of the machine in its project. */
async function startBackendSession(): Promise<void> {
  const body = { session: 's-1', client: '<img src=x onerror=alert(1)> 1.0', project: 'billing' }
  await backend.client.call(api.heartbeat, { body })
}

const send = async (from: TestMember, to: string, body: string, more: object = {}) =>
  (await from.client.call(api.sendMessage, { body: { to, body, ...more } })).id

/** Returns the unread messages of a member, newest last. */
const inboxOf = async ({ client }: TestMember) => (await client.call(api.readInbox)).messages

const messagesIn = (page: Page) => page.locator('.conversation .message')
const textsIn = async (page: Page) =>
  (await messagesIn(page).locator('.body').allTextContents()).map(text => text.trim())

/** Scrolls the conversation to `top`, and waits until it is drawn. */
async function scrollTo(page: Page, top: string): Promise<void> {
  await page.evaluate(`(async () => {
    const list = document.querySelector('.conversation .virtual')
    list.scrollTo(0, ${top})
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))
  })()`)
}

test('a message to a member is shown at once, and its sender sees its receipts', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { token: sean.token, at: '#/conversations/sean/backend-prod' })
  await page.getByText('sean and backend-prod have not exchanged any messages.').waitFor()
  const id = await send(backend, 'sean', 'Is the port 3500?', { intent: 'request' })
  const row = messagesIn(page).filter({ hasText: 'Is the port 3500?' })
  await row.getByText('unread').waitFor()
  await row.getByText('waiting for your answer').waitFor()
  await expect.poll(() => page.locator('.conversation-row').first().textContent()).toContain('Is the port 3500?')
  const receipt = async () => (await backend.client.call(api.getMessage, { params: { id } })).receipts[0]!
  await expect.poll(async () => (await receipt()).status).toBe('fetched')
  await row.getByRole('button', { name: 'Ack' }).click()
  await expect.poll(async () => (await receipt()).status).toBe('acked')
  await expect.poll(() => row.getByText('unread').count()).toBe(0)
})

test('an answer is placed under its question, is stored as an answer, and its steps are shown', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { token: sean.token, at: '#/conversations/sean/chasclaude' })
  const question = await send(chasclaude, 'sean', 'May I push to main?', { intent: 'request' })
  await send(chasclaude, 'sean', 'Something else meanwhile.', { intent: 'inform' })
  await messagesIn(page).filter({ hasText: 'May I push' }).getByRole('button', { name: 'Answer' }).click()
  await page.getByText('Answer to May I push to main?').waitFor()
  await page.keyboard.type('Yes, please.')
  await page.keyboard.press('Control+Enter')
  await expect.poll(() => textsIn(page)).toEqual(['Something else meanwhile.', 'May I push to main?', 'Yes, please.'])
  const answer = (await inboxOf(chasclaude)).find(({ body }) => body === 'Yes, please.')!
  expect(answer).toMatchObject({ replyTo: question, intent: 'inform', from: 'sean' })
  await chasclaude.client.call(api.markFetched, { body: { ids: [answer.id], session: 'c-1' } })
  const row = messagesIn(page).filter({ hasText: 'Yes, please.' })
  await expect.poll(() => row.locator('.standing').textContent()).toMatch(/^shown/)
  await chasclaude.client.call(api.ackInbox, { body: { ids: [answer.id] } })
  await expect.poll(() => row.locator('.standing').textContent()).toMatch(/^acked/)
})

test('recipients are completed with names, aliases, groups and projects; a double click on Send stores one message', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { token: sean.token, at: '#/conversations/new' })
  const to = page.getByRole('combobox', { name: 'To' })
  const suggested = async () => (await page.getByRole('option').locator('.address').allTextContents()).sort()
  await to.pressSequentially('BACK')
  await expect.poll(suggested).toEqual(['back', 'backend-prod'])
  await to.fill('ap')
  await expect.poll(suggested).toEqual(['api'])
  await to.fill('api/')
  await expect.poll(suggested).toEqual(['api/billing'])
  await page.keyboard.press('Enter')
  await expect.poll(() => to.inputValue()).toBe('api/billing, ')
  const button = page.getByRole('button', { name: 'Send', exact: true })
  await button.click()
  await page.getByText('Enter a text.').waitFor()
  await page.getByRole('textbox', { name: 'Text' }).fill('Look at the totals.')
  await button.dblclick()
  await expect.poll(() => page.evaluate('location.hash')).toBe('#/conversations/sean/backend-prod')
  await expect.poll(() => textsIn(page)).toContain('Look at the totals.')
  const stored = (await inboxOf(backend)).filter(({ body }) => body === 'Look at the totals.')
  expect(stored).toMatchObject([{ project: 'billing' }])
})

test('a send whose response was lost, and a draft, survive the page, and the send is stored once', async context => {
  browser.need(context)
  const opened = await browser.open(hub, {
    ...{ token: sean.token, at: '#/conversations/sean/chasclaude', allow: /ERR_FAILED|ERR_CONNECTION|Failed to load/ },
  })
  const { page } = opened
  let posts = 0
  await page.route('**/v1/messages', async route => {
    if (route.request().method() !== 'POST') return route.fallback()
    posts++
    // The hub stores the message, and the connection breaks before its response.
    await route.fetch()
    return route.abort()
  })
  const text = page.getByRole('textbox', { name: 'Text' })
  await text.fill('The line will break.')
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  const waiting = page.locator('.message.outgoing')
  await waiting.getByText('not stored yet').waitFor()
  await waiting.getByText('The hub does not respond.').waitFor()
  await text.fill('A draft that is not done')
  await page.unroute('**/v1/messages')
  expect(posts).toBeGreaterThan(0)
  await page.reload()
  await expect.poll(() => text.inputValue()).toBe('A draft that is not done')
  await expect.poll(() => waiting.count()).toBe(0)
  await expect.poll(async () => (await textsIn(page)).filter(body => body === 'The line will break.')).toHaveLength(1)
  expect((await inboxOf(chasclaude)).filter(({ body }) => body === 'The line will break.')).toHaveLength(1)
})

test('a draft survives the session, and a send interrupted by its end is sent after the next login', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, {
    ...{ token: sean.token, at: '#/conversations/sean/chasclaude', allow: /401/ },
  })
  const text = page.getByRole('textbox', { name: 'Text' })
  await text.fill('Written, not sent.')
  const admin = hub.client(hub.adminToken)
  const { sessions } = await admin.call(api.consoleSessions)
  for (const { id, name } of sessions) {
    if (name === 'sean') await admin.call(api.consoleRevoke, { params: { id } })
  }
  await page.getByRole('heading', { name: 'Your session has ended' }).waitFor()
  await page.goto('about:blank')
  await page.goto(await linkFor(hub, sean.token))
  await page.locator('.nav').waitFor()
  await goTo(page, '#/conversations/sean/chasclaude')
  await expect.poll(() => text.inputValue()).toBe('Written, not sent.')
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  await expect.poll(() => textsIn(page)).toContain('Written, not sent.')
})

test('a refused send shows why, does not block others, and can be changed', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, {
    ...{ token: sean.token, at: '#/conversations/new?to=nobody-here', allow: /404/ },
  })
  await page.getByRole('textbox', { name: 'Text' }).fill('Is anybody there?')
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  const refused = page.locator('.message.outgoing')
  await refused.getByText('nobody-here').first().waitFor()
  await refused.getByText('refused', { exact: true }).waitFor()
  await refused.getByRole('button', { name: 'Edit' }).click()
  const to = page.getByRole('combobox', { name: 'To' })
  await expect.poll(() => to.inputValue()).toBe('nobody-here')
  await to.fill('backend-prod')
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  await expect.poll(async () => (await inboxOf(backend)).map(({ body }) => body)).toContain('Is anybody there?')
})

test('scheduled messages are listed with their times, and can be cancelled', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { token: sean.token, at: '#/conversations/sean/chasclaude' })
  await page.getByRole('textbox', { name: 'Text' }).fill('Tomorrow is another day.')
  await page.getByRole('button', { name: 'Schedule and expiry' }).click()
  const at = page.getByRole('textbox', { name: 'Send at' })
  await at.fill('soon')
  await page.getByRole('button', { name: 'Send later' }).click()
  await page.getByText('That is not a time.').waitFor()
  await at.fill('in 2h')
  await page.getByText(/\(.*day, .*, in 2 h\)/).waitFor()
  await page.getByRole('button', { name: 'Send later' }).click()
  await expect.poll(async () => (await sean.client.call(api.listLater)).messages).toHaveLength(1)
  await page.getByRole('button', { name: /scheduled/ }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('Tomorrow is another day.').waitFor()
  await dialog.getByRole('button', { name: 'Cancel message' }).click()
  await dialog.getByText('No scheduled messages').waitFor()
  expect((await sean.client.call(api.listLater)).messages).toEqual([])
})

test('an owner reads the messages of their machine, and answers on its behalf', async context => {
  browser.need(context)
  const question = await send(chasclaude, 'seanclaude', 'Who may sign the release?', { intent: 'request' })
  const { page } = await browser.open(hub, { token: sean.token, at: '#/conversations/seanclaude/chasclaude' })
  await page.getByText('You are reading the messages of seanclaude.').waitFor()
  await messagesIn(page).filter({ hasText: 'Who may sign' }).getByRole('button', { name: 'Answer' }).click()
  await page.keyboard.type('I do.')
  await page.keyboard.press('Control+Enter')
  const answer = async () => (await inboxOf(chasclaude)).find(({ body }) => body === 'I do.')
  await expect.poll(answer).toMatchObject({ from: 'sean', replyTo: question })
  const { receipts } = await chasclaude.client.call(api.getMessage, { params: { id: question } })
  expect(receipts[0]).toMatchObject({ name: 'seanclaude', answerId: (await answer())!.id })
  await expect.poll(async () => (await textsIn(page)).slice(-2)).toEqual(['Who may sign the release?', 'I do.'])
})

test('in the conversation with a group answers are shown under the question, though each is to one member', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { token: sean.token, at: '#/conversations/sean/back' })
  const question = await send(sean, 'back', 'Who is on call?', { intent: 'request' })
  await messagesIn(page).filter({ hasText: 'Who is on call?' }).waitFor()
  await send(chasclaude, 'sean', 'I am.', { replyTo: question, intent: 'inform' })
  await expect.poll(() => textsIn(page)).toEqual(['Who is on call?', 'I am.'])
})

test('the page of a message shows its steps, and is updated', async context => {
  browser.need(context)
  await startBackendSession()
  const id = await send(sean, 'backend-prod/billing', 'What is the total?', { intent: 'request' })
  const { page } = await browser.open(hub, { token: sean.token, at: `#/messages/${id}` })
  const steps = async () => (await page.locator('.life p').allTextContents()).map(text => text.trim())
  await expect.poll(steps).toEqual(['sent by sean', 'backend-prod/billing: stored'])
  await backend.client.call(api.markTold, { body: { ids: [id], session: 's-1', how: 'wake' } })
  await expect
    .poll(async () => (await steps()).at(-1))
    .toBe('backend-prod/billing: a session was woken for it, reported by the client')
  await backend.client.call(api.markFetched, { body: { ids: [id], session: 's-1' } })
  await expect.poll(async () => (await steps()).at(-1)).toMatch(/shown to session s-1.*, reported by the client$/)
  const answer = await send(backend, 'sean', '42 exactly', { replyTo: id, intent: 'inform' })
  await expect
    .poll(async () => (await steps()).slice(-2))
    .toEqual(['backend-prod/billing: acked', 'backend-prod/billing: answered with a message'])
  await page.getByText('42 exactly').waitFor()
  await page.locator('.life').getByRole('link', { name: 'with a message' }).click()
  await expect.poll(() => page.evaluate('location.hash')).toBe(`#/messages/${answer}`)
  await page.getByRole('link', { name: /answer to sean: What is the total/ }).waitFor()
})

test('a search finds words in own messages and those of own machines, marks them, and has an address', async context => {
  browser.need(context)
  await send(chasclaude, 'seanclaude', `A zebra crosses getZebraStripe() ${'and on '.repeat(100)}`, {
    intent: 'inform',
  })
  await send(chasclaude, 'backend-prod', 'A zebra of others', { intent: 'inform' })
  const { page } = await browser.open(hub, { token: sean.token, at: '#/search' })
  await page.getByRole('searchbox', { name: 'Words' }).fill('zebra')
  await expect.poll(() => page.locator('mark').allTextContents()).toEqual(['zebra', 'Zebra'])
  expect(await page.evaluate('location.hash')).toBe('#/search?q=zebra')
  await page.reload()
  await expect.poll(() => page.locator('mark').count()).toBe(2)
  await page.getByRole('combobox', { name: 'With' }).fill('backend-prod')
  await page.getByText('No results').waitFor()
  await goTo(page, '#/search?q=zebra')
  await page.locator('.results a').click()
  await page.getByText('A zebra crosses').waitFor()
})

test('an admin sees who wrote to whom and how much, but no text', async context => {
  browser.need(context)
  const id = await send(chasclaude, 'seanclaude', 'the secret of the release', { intent: 'inform' })
  const { page } = await browser.open(hub, { at: '#/conversations' })
  await expect.poll(() => page.locator('.conversation-row').count()).toBeGreaterThan(1)
  await goTo(page, '#/conversations/seanclaude/chasclaude')
  await page.getByText('The text (25 bytes) is not shown to an admin.').first().waitFor()
  await page.getByText('An admin sees traffic').waitFor()
  await goTo(page, `#/messages/${id}`)
  await page.getByText('The text (25 bytes) is not shown to an admin.').waitFor()
  expect(await page.content()).not.toContain('the secret of the release')
})

const markup = {
  'an image': '<img src=x onerror=alert(1)>',
  'a script': '</script><script>alert(1)</script>',
  'a link': 'javascript:alert(1) [x](javascript:alert(1))',
  'a drawing': '<svg onload=alert(1)><a xlink:href="javascript:alert(1)">x</a></svg>',
  'a template': '{{constructor.constructor("alert(1)")()}} #{alert(1)} <%= alert(1) %>',
  'a style': '<style>@import url(//evil.example/x)</style><p style="background:url(//evil.example/y)">',
  'an entity': '&lt;img src=x onerror=alert(1)&gt; &#x3c;script&#x3e;',
  'a frame': '<iframe srcdoc="<script>alert(1)</script>"></iframe><base href=//evil.example>',
}

test('A50: untrusted text is shown as text on every page of messages, with its hidden characters visible', async context => {
  browser.need(context)
  const bodies = Object.values({ ...markup, ...hostileBodies })
  const ids: string[] = []
  const mallory = await hub.join('mallory')
  for (const body of bodies) ids.push(await send(mallory, 'sean', body, { intent: 'inform' }))
  const { page } = await browser.open(hub, {
    ...{ token: sean.token, at: '#/conversations/sean/mallory', size: 'phone', allow: /status of 40[04]/ },
  })
  const dangerous = 'main :is(img, script, iframe, base, style, object, embed, svg a, svg [onload], [onerror])'
  const isClean = async () => {
    expect(await page.locator(dangerous).count()).toBe(0)
    const shown = (await page.locator('main').textContent())!
    expect(shown).not.toMatch(
      /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\u2028\u2029]|[\u{e0000}-\u{e01ef}]/u,
    )
  }
  await messagesIn(page).first().waitFor()
  await isClean()
  await expect
    .poll(async () => {
      await scrollTo(page, '0')
      return (await textsIn(page))[0]
    })
    .toBe(markup['an image'])
  await isClean()
  for (const id of ids.slice(0, Object.keys(markup).length)) {
    await goTo(page, `#/messages/${id}`)
    await expect.poll(() => page.locator('.one-message code').first().textContent()).toBe(id)
    await isClean()
  }
  const address = encodeURIComponent(markup['an image'])
  for (const at of [
    `conversations/sean/${address}`,
    `conversations/${address}`,
    `messages/${address}`,
    `search?q=${address}`,
    `search?q=alert&with=${address}`,
  ]) {
    await goTo(page, `#/${at}`)
    await expect.poll(() => page.locator('main').textContent()).not.toBe('')
    await isClean()
  }
})

test('of 10,000 messages few are in the page at a time, and the visible ones do not move', async context => {
  browser.need(context)
  const { page } = await browser.open(hub, { token: writer.token, at: '#/conversations/writer/worker' })
  await expect.poll(async () => (await textsIn(page)).at(-1)).toMatch(/^answer 4999/)
  const list = page.locator('.conversation .virtual')
  const setSize = async () => Number(await list.locator('li').first().getAttribute('aria-setsize'))
  let most = 0
  while ((await setSize()) <= loadedMessages) {
    await scrollTo(page, '0')
    most = Math.max(most, await messagesIn(page).count())
  }
  expect(most).toBeLessThan(80)
  await scrollTo(page, '5000')
  // The visible rows do not move while messages are stored at the other end.
  const seen = async () => {
    const row = messagesIn(page).nth(4)
    return [await row.locator('.body').textContent(), await row.boundingBox()]
  }
  const [before, count] = [await seen(), await setSize()]
  await send(writer, 'worker', 'one more', { intent: 'inform' })
  await expect.poll(setSize).toBe(count + 1)
  expect(await seen()).toEqual(before)
  await expect
    .poll(async () => {
      await scrollTo(page, 'list.scrollHeight')
      return (await textsIn(page)).at(-1)
    })
    .toBe('one more')
})

const places = [
  ['conversations', '#/conversations'],
  ['conversation', '#/conversations/sean/chasclaude'],
  ['new-message', '#/conversations/new'],
  ['search', '#/search?q=the'],
] as const

test.for(['light', 'dark'] as const)(
  'the pages of messages have no serious accessibility problem (%s)',
  async (theme, context) => {
    browser.need(context)
    const id = await send(sean, 'back', 'Who has changed the totals?', { intent: 'request' })
    await send(backend, 'sean', 'Not me.', { replyTo: id, intent: 'inform' })
    for (const size of ['laptop', 'phone'] as const) {
      const { page } = await browser.open(hub, { token: sean.token, theme, size })
      for (const [name, at] of [...places, ['message', `#/messages/${id}`] as const]) {
        await goTo(page, at)
        await page.locator('main :is(.message, .results, .life, .conversation-row, .compose):visible').first().waitFor()
        expect(await axeFindings(page)).toEqual([])
        await screenshot(page, `${name}-${size}-${theme}`)
      }
    }
  },
)
