import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { AxeResults } from 'axe-core'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, type TestContext } from 'vitest'
import type { TestHub } from './hub.ts'

/** Debian's Chromium; nothing is downloaded. The headless shell has no windows, so a page takes an eighth of the processor time. */
const chromiumPath = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find(existsSync)

/** Sizes of the screen: a phone held upright, and a laptop. */
export const sizes = { phone: { width: 390, height: 844 }, laptop: { width: 1280, height: 800 } } as const

export interface OpenOptions {
  /** The token that makes the link; by default the admin's. */
  token?: string
  /** Page to open after the login: `#/members`. */
  at?: string
  size?: keyof typeof sizes
  theme?: 'light' | 'dark'
  /** Expected errors: those that match do not fail the test. */
  allow?: RegExp
  context?: BrowserContextOptions
}

/** A page of the console in a browser context of its own, without cookies or storage of other tests. */
export interface ConsolePage {
  page: Page
  context: BrowserContext
  /** Exceptions, console errors and violations of the page's policy so far. */
  errors: string[]
}

/**
 * One Chromium for a test file, started before its tests. Pages are closed with the test that opened them; an exception, a console error or
 * a violation of the page's policy fails that test.
 */
export class ConsoleBrowser {
  #browser: Browser | undefined
  /** Pages of earlier tests that were reset for reuse. A new page takes Chromium two seconds of processor time. */
  readonly #wiped: (Pick<ConsolePage, 'page' | 'context'> & { origin: string; size: keyof typeof sizes })[] = []

  async start(): Promise<void> {
    if (!chromiumPath) return
    const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
    this.#browser = await chromium.launch({ executablePath: chromiumPath, args: [...args, '--disable-dev-shm-usage'] })
  }

  async close(): Promise<void> {
    await this.#browser?.close()
  }

  /** Skips the running test if there is no browser. */
  need({ skip }: TestContext): void {
    if (!this.#browser) skip('neither chromium-headless-shell nor chromium is installed here')
  }

  /** Opens a page of the hub's console without a session. */
  async openStranger(
    hub: TestHub,
    { at = '', size = 'laptop', theme, allow, context: more }: OpenOptions = {},
  ): Promise<ConsolePage> {
    const { origin } = hub.url
    const place = more ? -1 : this.#wiped.findIndex(each => each.origin === origin && each.size === size)
    const [wiped] = place < 0 ? [] : this.#wiped.splice(place, 1)
    const context = wiped?.context ?? (await this.#newContext(origin, size, more))
    const page = wiped?.page ?? (await context.newPage())
    await page.setViewportSize(more?.viewport ?? sizes[size])
    await page.emulateMedia({ colorScheme: more?.colorScheme ?? theme ?? 'light' })
    const errors: string[] = []
    page.on('pageerror', error => errors.push(`exception: ${error.stack ?? error.message}`))
    page.on('console', message => {
      if (message.type() === 'error') errors.push(`console: ${message.text()} (${message.location().url})`)
    })
    onTestFinished(async ({ task }) => {
      if (more || task.result?.state === 'fail') await context.close()
      else {
        await wipe(page)
        this.#wiped.push({ page, context, origin, size })
      }
      expect(errors.filter(text => !allow?.test(text))).toEqual([])
    })
    await page.goto(`/${at}`)
    return { page, context, errors }
  }

  #newContext(baseURL: string, size: keyof typeof sizes, more: BrowserContextOptions = {}): Promise<BrowserContext> {
    return this.#browser!.newContext({
      viewport: sizes[size],
      ...(size === 'phone' && { deviceScaleFactor: 2, isMobile: true, hasTouch: true }),
      reducedMotion: 'reduce',
      baseURL,
      ...more,
    })
  }

  /** Opens a page, logged in with a link of its own, at `at`. */
  async open(hub: TestHub, options: OpenOptions = {}): Promise<ConsolePage> {
    const opened = await this.openStranger(hub, {
      ...options,
      at: (await linkFor(hub, options.token)).replace(/^\//, ''),
    })
    await opened.page.locator('.nav').waitFor()
    if (options.at !== undefined) await goTo(opened.page, options.at)
    return opened
  }
}

/** Resets a browser context to one page at about:blank, as if new. */
async function wipe(page: Page): Promise<void> {
  const context = page.context()
  for (const other of context.pages()) if (other !== page) await other.close()
  await page.unrouteAll({ behavior: 'ignoreErrors' })
  const { origin } = new URL(page.url())
  await page.evaluate('sessionStorage.clear()')
  await page.goto('about:blank')
  page.removeAllListeners()
  const browser = await context.newCDPSession(page)
  await browser.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' })
  await browser.send('Page.resetNavigationHistory')
  await browser.detach()
  await context.clearCookies()
}

/** One browser for all tests of a file. */
export function consoleBrowser(): ConsoleBrowser {
  const browser = new ConsoleBrowser()
  beforeAll(() => browser.start())
  afterAll(() => browser.close())
  return browser
}

/** Makes a link into the console, `/#in=SECRET`, for the owner of the token, by default the admin. */
export async function linkFor(hub: TestHub, token = hub.adminToken): Promise<string> {
  const answer = await fetch(new URL('/v1/console/links', hub.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{}',
  })
  if (!answer.ok) throw new Error(`No link: ${await answer.text()}`)
  return ((await answer.json()) as { path: string }).path
}

/** Navigates within the console, as a click on a link does: `#/members/sean`. */
export async function goTo(page: Page, hash: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Returns every serious or critical violation that axe finds on the page, as `rule: element`. */
export async function axeFindings(page: Page): Promise<string[]> {
  if (!(await page.evaluate<boolean>('"axe" in globalThis'))) await page.evaluate(axeSource)
  // By default, axe also describes every element that passes, which is most of its cost.
  const { violations } = await page.evaluate<AxeResults>('axe.run({ resultTypes: ["violations"] })')
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')} ${failureSummary}`),
    )
}

/** Writes a picture of the visible page to NAME.png in the directory `CLAUDE_NET_SCREENSHOTS`, if that is set. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const dir = process.env.CLAUDE_NET_SCREENSHOTS
  if (!dir) return
  mkdirSync(dir, { recursive: true })
  await page.screenshot({ path: join(dir, `${name}.png`) })
}
