import { rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { api } from '../../src/protocol/api.ts'
import { tabHeader } from '../../src/protocol/console-header.ts'
import { newConsoleSecret } from '../../src/protocol/console-secret.ts'
import { newMessageId } from '../../src/protocol/ids.ts'
import type { Route } from '../../src/protocol/routes/route.ts'
import { ConsoleBrowser, linkFor, login, openConsole } from '../support/console-session.ts'
import { startHub, type TestHub, type TestMember } from '../support/hub.ts'
import { errorOf, raw } from '../support/raw.ts'
import { sharedHub } from '../support/shared-hub.ts'

const hub = sharedHub()
let sean: TestMember
let machine: TestMember
let admin: ReturnType<TestHub['client']>

beforeAll(async () => {
  sean = await hub.join('sean', 'human')
  machine = await hub.join('seanclaude', 'machine', 'sean')
  admin = hub.client(hub.adminToken)
})

const consoleOf = (browser: ConsoleBrowser) => browser.ask({ path: '/v1/console' })

/** Returns a name that was not used in this file. */
const fresh = () => `m${newMessageId().slice(-12)}`

/** Opens the session's event stream. `ended` resolves when the hub ends it. */
async function openStream(browser: ConsoleBrowser): Promise<{ ended: Promise<unknown> }> {
  const stream = await fetch(new URL('/v1/events', hub.url), { headers: browser.headers })
  expect(stream.status).toBe(200)
  const reader = stream.body!.getReader()
  await reader.read()
  const toEnd = async () => {
    for (let next = await reader.read(); !next.done; next = await reader.read());
  }
  return { ended: toEnd() }
}

describe('A51: the credentials of a session', () => {
  test('A51: the cookie alone, which is sent to every port of the host, opens no route, and the secret of the tab alone opens none', async () => {
    const browser = await openConsole(hub, hub.adminToken)
    const { cookie, tab } = browser
    for (const { method, path, audience } of Object.values(api) as Route[]) {
      if (audience === 'public') continue
      for (const headers of [{ cookie }, { [tabHeader]: tab }] as Record<string, string>[]) {
        const answer = await raw(hub, { path: path.replace(/:\w+/g, 'x'), method, headers })
        expect([method, path, answer.status]).toEqual([method, path, 401])
      }
    }
    expect(await consoleOf(browser)).toMatchObject({ status: 200 })
  })

  test('A51: a cookie and a secret of two different sessions are refused', async () => {
    const [one, two] = [await openConsole(hub, sean.token), await openConsole(hub, hub.adminToken)]
    const headers = { cookie: two.cookie, [tabHeader]: one.tab }
    expect(await raw(hub, { path: '/v1/console', headers })).toMatchObject({ status: 401 })
    for (const tossed of [newConsoleSecret(), '', 'x'.repeat(5000)]) {
      const [name] = one.cookie.split('=')
      expect(
        await raw(hub, { path: '/v1/console', headers: { [tabHeader]: one.tab, cookie: `${name}=${tossed}` } }),
      ).toMatchObject({ status: 401 })
      // A cookie of the same name from another port neither prevents nor permits access.
      const both = `${name}=${tossed}; other=1; ${one.cookie}`
      expect(await one.ask({ path: '/v1/console', headers: { cookie: both } })).toMatchObject({
        status: 200,
        json: { name: 'sean' },
      })
    }
  })

  test('A51: a token does not work as a session, nor a session as a token', async () => {
    const browser = await openConsole(hub, sean.token)
    for (const headers of [
      { origin: hub.url.origin },
      { 'sec-fetch-site': 'same-origin' },
      { [tabHeader]: browser.tab },
      browser.headers,
    ]) {
      const answer = await raw(hub, { path: '/v1/inbox', token: sean.token, headers })
      expect(errorOf(answer)).toMatchObject({
        code: 'forbidden',
        message: 'A request from a web page must not carry a token.',
      })
    }
    expect(await raw(hub, { path: '/v1/inbox', token: sean.token })).toMatchObject({ status: 200 })
    expect(await raw(hub, { path: '/v1/inbox', token: browser.tab })).toMatchObject({ status: 401 })
  })

  test.each(['renewToken', 'heartbeat', 'endSession', 'mcp', 'reportWrongHub', 'consoleLink'] as const)(
    'A51: %s is for programs and refuses a console session',
    async name => {
      const { method, path } = api[name]
      const body = method === 'POST' ? {} : undefined
      const answer = await (await openConsole(hub, machine.token)).ask({ method, path, body })
      expect(errorOf(answer)).toMatchObject({
        code: 'forbidden',
        message: expect.stringContaining('is not for console sessions'),
      })
    },
  )
})

describe('A51: requests that another page makes a browser send', () => {
  test('A51: requests with another Origin, even of another port, scheme or name of the host, are refused with a valid session', async () => {
    const browser = await openConsole(hub, sean.token)
    const { hostname, port } = hub.url
    for (const origin of [
      ...['null', 'http://evil.example', `http://${hostname}:${Number(port) + 1}`, `http://${hostname}`],
      ...[
        `http://localhost:${port}`,
        `http://${hostname}:${port}.evil.example`,
        `http://evil.example#${hostname}:${port}`,
      ],
      ...[
        `http://user@${hostname}:${port}`,
        `ftp://${hostname}:${port}`,
        `${hub.url.origin}/`,
        `${hub.url.origin}, null`,
      ],
    ]) {
      for (const request of [
        { path: '/v1/inbox' },
        { path: '/v1/messages', body: { to: 'seanclaude', body: 'forged' } },
      ]) {
        const answer = await browser.ask({ ...request, headers: { origin } })
        expect([origin, errorOf(answer).code]).toEqual([origin, 'forbidden'])
      }
    }
    const sent = await browser.ask({ path: '/v1/messages', body: { to: 'seanclaude', body: 'mine' } })
    expect(sent).toMatchObject({ status: 201 })
    const { messages } = await machine.client.call(api.readInbox)
    expect(messages.map(({ body }) => body)).not.toContain('forged')
  })

  test.each(['cross-site', 'same-site', 'none', 'same-origin, cross-site', ''])(
    'A51: with Sec-Fetch-Site "%s" a request is refused and changes nothing',
    async site => {
      const browser = await openConsole(hub, sean.token)
      const headers = { 'sec-fetch-site': site }
      for (const request of [
        { path: '/v1/inbox' },
        { path: '/v1/events' },
        { path: '/v1/console', method: 'DELETE' },
        { path: '/v1/messages', body: { to: 'seanclaude', body: 'forged' } },
      ]) {
        expect(await browser.ask({ ...request, headers })).toMatchObject({ status: 403 })
      }
      const { secret } = await linkFor(hub, sean.token)
      expect(await login(hub, secret, headers)).toMatchObject({ status: 403 })
      expect(await login(hub, secret)).toMatchObject({ status: 201 })
      expect(await consoleOf(browser)).toMatchObject({ status: 200 })
    },
  )

  test('A51: requests without a preflight cannot carry the secret of a tab, forms are rejected, and preflights are refused', async () => {
    const { cookie, ...browser } = await openConsole(hub, sean.token).then(each => ({
      cookie: each.cookie,
      headers: each.headers,
    }))
    const body = JSON.stringify({ to: 'seanclaude', body: 'forged' })
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const headers = { cookie, 'content-type': type }
      expect(await raw(hub, { path: '/v1/messages', headers, body })).toMatchObject({ status: 401 })
      const whole = await raw(hub, {
        path: '/v1/messages',
        headers: { ...browser.headers, 'content-type': type },
        body,
      })
      expect(errorOf(whole).code).toBe('invalid')
    }
    const { secret } = await linkFor(hub, sean.token)
    const form = await raw(hub, {
      ...{ path: '/v1/console/login', body: JSON.stringify({ secret }) },
      headers: { origin: hub.url.origin, 'content-type': 'text/plain' },
    })
    expect(form.status).toBe(400)
    const preflight = await raw(hub, {
      ...{ path: '/v1/messages', method: 'OPTIONS' },
      headers: { origin: hub.url.origin, 'access-control-request-headers': tabHeader },
    })
    expect(preflight.status).toBe(405)
    expect(Object.keys(preflight.headers).filter(name => name.startsWith('access-control'))).toEqual([])
  })

  test('A51: requests for a name that was pointed at the hub are refused even with a valid session', async () => {
    const browser = await openConsole(hub, sean.token)
    const evil = { host: `evil.example:${hub.port}`, origin: `http://evil.example:${hub.port}` }
    expect(await browser.ask({ path: '/v1/inbox', headers: evil })).toMatchObject({ status: 403 })
    const { secret } = await linkFor(hub, sean.token)
    expect(await login(hub, secret, evil)).toMatchObject({ status: 403 })
  })

  test('A51: a port that leads to the socket of the admin does not make a web page the admin', async () => {
    const ask = (headers: Record<string, string>) =>
      new Promise<number>((resolve, reject) => {
        const socketPath = join(hub.dataDir, 'admin.sock')
        httpRequest({ socketPath, path: '/v1/admin/members', headers: { host: 'localhost', ...headers } }, response => {
          response.resume()
          resolve(response.statusCode!)
        })
          .on('error', reject)
          .end()
      })
    expect(await ask({})).toBe(200)
    expect(await ask({ origin: 'http://localhost' })).toBe(401)
    expect(await ask({ 'sec-fetch-site': 'same-origin' })).toBe(401)
    expect(await ask({ 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect(await ask({ origin: 'http://evil.example' })).toBe(403)
  })
})

describe('A51: links', () => {
  test('A51: of many browsers that race for a link one gets in, and the others are informed that it was used', async () => {
    const { secret } = await linkFor(hub, sean.token)
    const answers = await Promise.all(Array.from({ length: 8 }, () => login(hub, secret)))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(401)])
    for (const answer of answers.filter(({ status }) => status === 401)) {
      expect(errorOf(answer).message).toBe('This link was used already; each opens the console once.')
      expect(answer.headers['set-cookie']).toBe(undefined)
    }
  })

  test('A51: a GET of the address of a link does not use it, and a page of another origin cannot use it', async () => {
    const { secret } = await linkFor(hub, sean.token)
    for (const method of ['GET', 'HEAD']) await raw(hub, { path: '/', method })
    await raw(hub, { path: `/?in=${secret}` })
    for (const origin of ['http://evil.example', 'null'])
      expect(await login(hub, secret, { origin })).toMatchObject({ status: 403 })
    const program = await raw(hub, { path: '/v1/console/login', body: { secret } })
    expect(errorOf(program)).toMatchObject({ code: 'forbidden', message: 'A login must come from a page of the hub.' })
    expect(await login(hub, secret)).toMatchObject({ status: 201 })
  })

  test('A51: a login creates new secrets, whatever cookie the browser has, and replaces its session', async () => {
    const planted = newConsoleSecret()
    const { secret } = await linkFor(hub, sean.token)
    const first = new ConsoleBrowser(hub, await login(hub, secret, { cookie: `claude-net-${hub.port}=${planted}` }))
    expect(first.cookie).not.toContain(planted)
    const next = await login(hub, (await linkFor(hub, machine.token)).secret, { cookie: first.cookie })
    const second = new ConsoleBrowser(hub, next)
    expect([second.cookie, second.tab]).not.toContain(first.tab)
    expect(await consoleOf(first)).toMatchObject({ status: 401 })
    expect(await consoleOf(second)).toMatchObject({ json: { name: 'seanclaude' } })
  })

  test('A51: guesses are slowed down, while a valid link still works from the same address', async () => {
    const limited = await startHub({ config: { limits: {} } })
    const { secret } = await linkFor(limited, limited.adminToken)
    const answers = []
    for (let n = 0; n < 14; n++) answers.push(await login(limited, newConsoleSecret()))
    expect(answers.slice(0, 10).map(({ status }) => status)).toEqual(Array(10).fill(401))
    expect(errorOf(answers.at(-1)!)).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) })
    expect(await login(limited, secret)).toMatchObject({ status: 201 })
    expect(await login(limited, 'x')).toMatchObject({ status: 400 })
  })
})

describe('A51: the end of a session', () => {
  test('A51: after a revocation or logout its streams are cut, and copies of its secrets open nothing', async () => {
    for (const end of ['revoke', 'logout'] as const) {
      const browser = await openConsole(hub, sean.token)
      const { ended } = await openStream(browser)
      if (end === 'revoke') await admin.call(api.consoleRevoke, { params: { id: browser.session } })
      else await browser.ask({ path: '/v1/console', method: 'DELETE' })
      await ended
      for (const path of ['/v1/console', '/v1/inbox', '/v1/events'])
        expect(await browser.ask({ path })).toMatchObject({ status: 401 })
    }
  })

  test('A51: it follows a rename, and ends when its member is revoked or deleted, even if another member gets the name', async () => {
    const [name, renamed] = [fresh(), fresh()]
    await hub.join(name, 'human')
    const browser = await openConsole(hub, hub.adminToken, name)
    const stream = await openStream(browser)
    await admin.call(api.renameMember, { params: { name }, body: { to: renamed } })
    await stream.ended
    expect(await consoleOf(browser)).toMatchObject({ json: { name: renamed } })

    const waiting = await linkFor(hub, hub.adminToken, renamed)
    expect(await admin.call(api.revokeMember, { params: { name: renamed } })).toMatchObject({ sessions: 1 })
    expect(await consoleOf(browser)).toMatchObject({ status: 401 })
    expect(await login(hub, waiting.secret)).toMatchObject({ status: 401 })

    const again = await openConsole(hub, hub.adminToken, renamed)
    const { ended } = await openStream(again)
    const late = await linkFor(hub, hub.adminToken, renamed)
    await admin.call(api.deleteMember, { params: { name: renamed } })
    await ended
    await hub.join(renamed, 'human')
    expect(await consoleOf(again)).toMatchObject({ status: 401 })
    expect(await login(hub, late.secret)).toMatchObject({ status: 401 })
  })

  test('A51: sessions opened with a stolen token end with that token', async () => {
    const name = fresh()
    const { token } = await hub.join(name)
    const thief = await openConsole(hub, token)
    const link = await linkFor(hub, token)
    const byAdmin = await openConsole(hub, hub.adminToken, name)
    // The machine joins again, which ends its previous token.
    await hub.join(name)
    expect(await consoleOf(thief)).toMatchObject({ status: 401 })
    expect(await login(hub, link.secret)).toMatchObject({ status: 401 })
    expect(await consoleOf(byAdmin)).toMatchObject({ status: 200 })
  })

  test('A51: a login from an address outside the binding of its member is refused, and does not use the link', async () => {
    const name = fresh()
    await hub.join(name)
    const browser = await openConsole(hub, hub.adminToken, name)
    const link = await linkFor(hub, hub.adminToken, name)
    await admin.call(api.bindMember, { params: { name }, body: { ranges: ['127.0.0.9/32'] } })
    expect(await consoleOf(browser)).toMatchObject({ status: 403 })
    expect(await browser.ask({ path: '/v1/console', localAddress: '127.0.0.9' })).toMatchObject({ status: 200 })
    expect(await login(hub, link.secret)).toMatchObject({ status: 403 })
    await admin.call(api.bindMember, { params: { name }, body: { ranges: [] } })
    expect(await login(hub, link.secret)).toMatchObject({ status: 201 })
  })

  test('A51: links and sessions survive a kill of the hub, and those of the admin end with its token', async () => {
    const own = await startHub()
    await own.join('sean', 'human')
    const [kept, ended, mine] = [
      await openConsole(own, own.adminToken, 'sean'),
      await openConsole(own, own.adminToken, 'sean'),
      await openConsole(own, own.adminToken),
    ]
    const { secret } = await linkFor(own, own.adminToken, 'sean')
    await ended.ask({ path: '/v1/console', method: 'DELETE' })
    await own.crashAndRestart()
    expect(await consoleOf(kept)).toMatchObject({ status: 200 })
    expect(await consoleOf(mine)).toMatchObject({ status: 200 })
    expect(await consoleOf(ended)).toMatchObject({ status: 401 })
    expect(await login(own, secret)).toMatchObject({ status: 201 })

    const made = await linkFor(own, own.adminToken)
    await own.stop()
    rmSync(join(own.dataDir, 'admin.token'))
    await own.start()
    // These sessions and links could belong to a thief of the token.
    for (const browser of [kept, mine]) expect(await consoleOf(browser)).toMatchObject({ status: 401 })
    expect(await login(own, made.secret)).toMatchObject({ status: 401 })
  })
})

describe('A51: TLS, proxies, and machines that act for their owners', () => {
  test('A51: over TLS the cookie is Secure and __Host-, and a page of plain HTTP is another origin', async () => {
    const { secret } = await linkFor(hub, sean.token)
    const ask = (path: string, headers: Record<string, string>, body?: unknown) =>
      new Promise<{ status: number; cookie: string | undefined; text: string }>((resolve, reject) => {
        const url = new URL(path, hub.tlsOrigin)
        const json = body === undefined ? {} : { 'content-type': 'application/json' }
        const method = body === undefined ? 'GET' : 'POST'
        httpsRequest(
          url,
          { method, headers: { ...json, ...headers }, rejectUnauthorized: false, agent: false },
          response => {
            let text = ''
            response.setEncoding('utf8').on('data', chunk => (text += chunk))
            response.on('end', () =>
              resolve({ status: response.statusCode!, cookie: response.headers['set-cookie']?.[0], text }),
            )
          },
        )
          .on('error', reject)
          .end(body === undefined ? undefined : JSON.stringify(body))
      })
    const named = `claudes.example.org:${hub.port}`
    await hub.reload({ url: `https://claudes.example.org:${hub.port}` })
    const plain = { host: named, origin: `http://${named}` }
    expect(await ask('/v1/console/login', plain, { secret })).toMatchObject({ status: 403 })
    const own = { host: named, origin: `https://${named}` }
    const { status, cookie, text } = await ask('/v1/console/login', own, { secret })
    expect(status).toBe(201)
    expect(cookie).toMatch(
      new RegExp(
        `^__Host-claude-net-${hub.port}=[\\w-]{43}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure$`,
      ),
    )
    const { tab } = JSON.parse(text) as { tab: string }
    const session = { host: named, cookie: cookie!.split(';')[0]!, [tabHeader]: tab }
    expect(await ask('/v1/console', session)).toMatchObject({ status: 200 })
    expect(await ask('/v1/console', { ...session, origin: `http://${named}` })).toMatchObject({ status: 403 })
  })

  test('A51: a trusted proxy reports whether the browser used TLS; if hub.json allows it, a machine acts for its owner', async () => {
    const config = {
      ...{ url: 'https://claudes.example.org', trustedProxies: ['127.0.0.7/32'] },
      console: { adminReads: true, machinesSpeakForOwners: true },
    }
    const proxied = await startHub({ config })
    await proxied.join('sean', 'human')
    const { token } = await proxied.join('seanclaude', 'machine', 'sean')
    const { token: lone } = await proxied.join('nobodys')
    expect((await linkFor(proxied, lone)).as.name).toBe('nobodys')
    await expect(linkFor(proxied, lone, 'sean')).rejects.toMatchObject({ code: 'forbidden' })
    expect((await linkFor(proxied, token, 'seanclaude')).as.name).toBe('seanclaude')
    const link = await linkFor(proxied, token)
    expect(link).toMatchObject({ url: `https://claudes.example.org${link.path}`, as: { name: 'sean', role: 'human' } })

    const headers = {
      ...{ host: 'claudes.example.org', origin: 'https://claudes.example.org' },
      ...{ 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.9' },
    }
    const request = { path: '/v1/console/login', body: { secret: link.secret }, headers }
    // The header is ignored unless it comes from the trusted proxy.
    expect(await raw(proxied, request)).toMatchObject({ status: 403 })
    const answer = await raw(proxied, { ...request, localAddress: '127.0.0.7' })
    expect(answer).toMatchObject({ status: 201, json: { name: 'sean' } })
    expect(answer.headers['set-cookie']![0]).toMatch(/^__Host-claude-net-443=.*; Secure$/)
    const browser = new ConsoleBrowser(proxied, answer)
    const here = { localAddress: '127.0.0.7', headers }
    expect(await browser.ask({ ...here, path: '/v1/console' })).toMatchObject({
      status: 200,
      json: { adminReads: true },
    })
    const { json } = await browser.ask({ ...here, path: '/v1/console/sessions' })
    expect(json).toMatchObject({ sessions: [{ address: '203.0.113.9' }] })
  })
})
