import { expect, test } from 'vitest'
import { consoleBrowser } from '../support/console-browser.ts'
import { raw } from '../support/raw.ts'
import { sharedHub } from '../support/shared-hub.ts'

const hub = sharedHub()
const browser = consoleBrowser()

test('the page comes with a policy that lets nothing in, and what it loads may be kept for ever', async () => {
  const page = await raw(hub, { path: '/' })
  expect(page.status).toBe(200)
  expect(page.headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  })
  const policy = String(page.headers['content-security-policy'])
  for (const rule of ["default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"])
    expect(policy).toContain(rule)
  expect(policy).not.toMatch(/unsafe|data:|blob:|https?:|\*/)
  expect(page.text).not.toMatch(/<script>|<style|style=|\son\w+=/)
  const files = [...page.text.matchAll(/(?:src|href)="(\/console\/[^"]+\.(?:js|css))"/g)].map(([, path]) => path!)
  expect(files.length).toBeGreaterThan(1)
  for (const path of files) {
    const file = await raw(hub, { path })
    expect(file.status).toBe(200)
    expect(file.headers['cache-control']).toBe('public, max-age=31536000, immutable')
  }
})

test('without a session the page says how to get in', async context => {
  browser.need(context)
  const { page } = await browser.openStranger(hub)
  await expect.poll(() => page.locator('h1').textContent()).toBe('Open the console with a link')
  expect(await page.locator('nav').count()).toBe(0)
})
