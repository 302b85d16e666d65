import { readdirSync, readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { consoleBrowser } from '../support/console-browser.ts'
import { raw } from '../support/raw.ts'
import { sharedHub } from '../support/shared-hub.ts'

const hub = sharedHub()
const browser = consoleBrowser()

test('the page has a policy that blocks everything else, and its files may be cached indefinitely', async () => {
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
  expect(policy).toContain("require-trusted-types-for 'script'")
  expect(page.text).not.toMatch(/<script>|<style|style=|\son\w+=/)
  const files = [...page.text.matchAll(/(?:src|href)="(\/console\/[^"]+\.(?:js|css))"/g)].map(([, path]) => path!)
  expect(files.length).toBeGreaterThan(1)
  for (const path of files) {
    const file = await raw(hub, { path })
    expect(file.status).toBe(200)
    expect(file.headers['cache-control']).toBe('public, max-age=31536000, immutable')
  }
})

test('without a session the page explains how to log in', async context => {
  browser.need(context)
  const { page } = await browser.openStranger(hub)
  await expect.poll(() => page.locator('h1').textContent()).toBe('Open the console with a link')
  expect(await page.locator('nav').count()).toBe(0)
})

const dist = join(import.meta.dirname, '../../dist/console')

test('the whole console takes less than 150 kB compressed', () => {
  const files = readdirSync(dist).filter(name => /\.(html|js|css|svg|webmanifest)$/.test(name))
  const bytes = files.map(name => gzipSync(readFileSync(join(dist, name)), { level: 9 }).length)
  expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThan(150_000)
})

test('files are sent compressed as the browser accepts, and not again if it has them', async () => {
  const page = readFileSync(join(dist, 'index.html'), 'utf8')
  const [path] = /\/console\/index-[^"]+\.js/.exec(page)!
  const whole = readFileSync(join(dist, path.slice('/console/'.length)))
  const get = (encoding: string, more = {}) =>
    fetchRaw(path, { ...(encoding && { 'accept-encoding': encoding }), ...more })
  const plain = await get('')
  expect([plain.encoding, plain.bytes.equals(whole)]).toEqual([undefined, true])
  const gzip = await get('gzip, deflate')
  expect([gzip.encoding, gunzipSync(gzip.bytes).equals(whole)]).toEqual(['gzip', true])
  const brotli = await get('gzip, deflate, br')
  expect([brotli.encoding, brotliDecompressSync(brotli.bytes).equals(whole)]).toEqual(['br', true])
  expect((await get('br;q=0, gzip;q=0.5')).encoding).toBe('gzip')
  expect(brotli.vary).toBe('accept-encoding')
  expect(new Set([plain.etag, gzip.etag, brotli.etag]).size).toBe(3)
  const again = await get('br', { 'if-none-match': brotli.etag })
  expect([again.status, again.bytes.length]).toEqual([304, 0])
})

test.each([
  '/console/..%2fhub.mjs',
  '/console/%2e%2e',
  '/console/hub.mjs',
  '/console/index.html.br',
  '/console/nothing-12345678.js',
  '/console/.js',
  '/console/index.html%00.js',
])('%s is not a file of the console', async path => {
  const answer = await raw(hub, { path })
  expect(answer.status).toBeGreaterThanOrEqual(400)
  expect(answer.status).toBeLessThan(500)
})

/** Sends a GET request. Returns the response as it was transferred, without decoding. */
function fetchRaw(path: string, headers: Record<string, string>) {
  return new Promise<{ status: number; encoding?: string; vary?: string; etag: string; bytes: Buffer }>(
    (done, fail) => {
      const request = httpRequest(new URL(path, hub.url), { headers, agent: false }, async response => {
        const { 'content-encoding': encoding, vary, etag } = response.headers
        const bytes = Buffer.concat(await response.toArray())
        done({ status: response.statusCode!, ...(encoding && { encoding }), ...(vary && { vary }), etag: etag!, bytes })
      })
      request.on('error', fail).end()
    },
  )
}
