import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { ConsoleBrowser, login, openConsole } from './support/console-session.ts'
import { makeLaptop } from './support/laptop.ts'
import { startMachine } from './support/machine.ts'
import { run } from './support/program.ts'
import { raw } from './support/raw.ts'
import { sharedHub } from './support/shared-hub.ts'
import { freePort, startSshd } from './support/sshd.ts'
import { until } from './support/until.ts'

const hub = sharedHub()
const admin = (...args: string[]) => run(['console', ...args, '--data', hub.dataDir])

/** Returns the origin and the secret of the link in a text. */
function linkIn(text: string): { origin: string; secret: string } {
  const [, origin, secret] = /(https?:\/\/\S+)\/#in=([\w-]{43})/.exec(text) ?? []
  if (origin === undefined) throw new Error(`No link: ${text}`)
  return { origin, secret: secret! }
}

test('on the host of the hub the link is for the admin, or with --as for a member, and appears in no argument', async () => {
  await hub.join('sean', 'human')
  const mine = await admin('--url', hub.url.origin)
  expect(mine).toMatchObject({ code: 0, stderr: '' })
  expect(mine.stdout).toContain('It works once, and lets in whoever has it, as the admin:')
  const { origin, secret } = linkIn(mine.stdout)
  expect(origin).toBe(hub.url.origin)
  expect(await login(hub, secret)).toMatchObject({ status: 201, json: { role: 'admin' } })

  const json = await admin('--as', 'sean', '--json', '--url', hub.url.origin)
  const answer = JSON.parse(json.stdout) as { url: string }
  expect(answer).toMatchObject({ as: { name: 'sean', role: 'human' } })
  expect(await login(hub, linkIn(answer.url).secret)).toMatchObject({ status: 201, json: { name: 'sean' } })

  expect(await admin('--as', 'saen')).toMatchObject({ code: 1, stderr: expect.stringContaining('sean') })
  expect(await admin('--as', 'sean', '--as-me')).toMatchObject({ code: 2 })
  expect(hub.log).not.toContain(secret)
})

test('sessions are listed and revoked', async () => {
  const browser = await openConsole(hub, hub.adminToken)
  const listed = await admin('sessions')
  expect(listed.stdout).toMatch(/^ID +WHO +SINCE +LAST USED +FROM +BROWSER +ENDS IN\n/)
  expect(listed.stdout).toMatch(
    new RegExp(`${browser.session} +admin +just now +just now +127.0.0.1 +Firefox 141 +1[12] h`),
  )
  expect((await admin('revoke', browser.session)).stdout).toBe(
    '1 session ended; a new link lets that browser in again.\n',
  )
  expect(await admin('revoke', browser.session)).toMatchObject({ code: 1 })
  expect(await admin('revoke', 'everything')).toMatchObject({ code: 2 })
  expect(await admin('revoke', 'all')).toMatchObject({ code: 0 })
  expect((await admin('sessions')).stdout).toBe('Nobody is in the console.\n')
})

test('a machine opens the console as itself, and sees and ends only its own sessions', async () => {
  const machine = await startMachine(hub, 'machineclaude')
  const { stdout, code } = await machine.run(['console'])
  expect(code).toBe(0)
  expect(stdout).toContain('as machineclaude (machine):')
  const { origin, secret } = linkIn(stdout)
  expect(origin).toBe(hub.url.origin)
  const browser = new ConsoleBrowser(hub, await login(hub, secret))
  const other = await openConsole(hub, hub.adminToken)
  expect((await machine.run(['console', 'sessions'])).stdout).toContain(browser.session)
  expect((await machine.run(['console', 'sessions'])).stdout).not.toContain(other.session)
  expect(await machine.run(['console', 'revoke', other.session])).toMatchObject({ code: 1 })
  expect(await machine.run(['console', 'revoke', 'all'])).toMatchObject({ code: 0 })
  expect(await other.ask({ path: '/v1/console' })).toMatchObject({ status: 200 })
})

test('through ssh, with TLS of the pinned key inside, a port of 127.0.0.1 forwards to the hub, streams included', async context => {
  const sshd = await startSshd(context)
  await hub.join('jaz', 'human')
  const laptop = await makeLaptop(hub, sshd, 'laptopclaude', { hubKey: hub.hubKey })
  const port = await freePort()
  const started = laptop.start('console', '--port', String(port))
  await until('the link', () => started.stdout.includes('until Ctrl-C'))
  const { origin, secret } = linkIn(started.stdout)
  expect(origin).toBe(`http://localhost:${port}`)
  expect(started.stdout).toContain('through ovh5')
  expect(started.stdout).not.toContain('without TLS')

  const here = { url: new URL(origin) }
  const browser = new ConsoleBrowser(here, await login(here, secret))
  expect(browser.cookie).toMatch(new RegExp(`^claude-net-${port}=`))
  expect(await browser.ask({ path: '/v1/console' })).toMatchObject({ status: 200, json: { name: 'laptopclaude' } })
  expect(await browser.ask({ path: '/v1/messages', body: { to: 'jaz', body: 'hello' } })).toMatchObject({
    status: 201,
  })
  // The local port grants nothing by itself: a request without the session is anonymous.
  expect(await raw(here, { path: '/v1/inbox' })).toMatchObject({ status: 401 })
  // A host name that resolves to this address is refused, as by the hub.
  expect(await browser.ask({ path: '/v1/console', headers: { host: `evil.example:${port}` } })).toMatchObject({
    status: 403,
  })

  const stream = await fetch(`${origin}/v1/events`, { headers: browser.headers })
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader.read()).value).toContain('event: ready')
  await hub.client(hub.adminToken).call(api.consoleRevoke, { params: { id: browser.session } })
  for (let next = await reader.read(); !next.done; next = await reader.read());
})
