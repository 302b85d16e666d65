import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, request } from 'node:http'
import { createServer as createSocket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startHub, TestHub } from './support/hub.ts'
import { hubNode, run } from './support/program.ts'
import { tempDir } from './support/temp.ts'

vi.setConfig({ testTimeout: 180_000 })

/** Sends one request over a hub's socket. Returns the status and the body. */
function ask(socketPath: string, path: string, headers: Record<string, string> = {}) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const outgoing = request({ socketPath, path, headers: { host: 'localhost', ...headers } }, response => {
      let body = ''
      response.setEncoding('utf8').on('data', text => (body += text))
      response.on('end', () => resolve({ status: response.statusCode!, body }))
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

describe("the admin's socket", () => {
  test('is accessible only to the user of the hub; a client that can connect is the admin without a token, and the audit records that', async () => {
    const hub = await startHub()
    const socket = join(hub.dataDir, 'admin.sock')
    expect(lstatSync(socket).isSocket()).toBe(true)
    expect(lstatSync(socket).mode & 0o777).toBe(0o600)
    expect(await ask(socket, '/v1/admin/status')).toMatchObject({ status: 200 })
    // A request with a token comes from the token's owner.
    const ana = await hub.join('ana')
    const asAna = { authorization: `Bearer ${ana.token}` }
    expect(await ask(socket, '/v1/machines', asAna)).toMatchObject({ status: 200 })
    expect(await ask(socket, '/v1/admin/status', asAna)).toMatchObject({ status: 403 })
    expect(await ask(socket, '/v1/admin/status', { authorization: 'Bearer no' })).toMatchObject({ status: 401 })
    expect(await ask(socket, '/v1/admin/status', { origin: 'http://evil.example' })).toMatchObject({ status: 403 })
    // An admin has no inbox over the socket either.
    expect(await ask(socket, '/v1/inbox')).toMatchObject({ status: 403 })
    expect((await fetch(new URL('/v1/admin/status', hub.url))).status).toBe(401)

    // The commands do not need the token file.
    renameSync(join(hub.dataDir, 'admin.token'), join(hub.dataDir, 'elsewhere'))
    expect(await run(['invite', 'ben', '--url', hub.url.origin, '--data', hub.dataDir])).toMatchObject({ code: 0 })
    const { lines } = JSON.parse((await run(['audit', '--json', '--data', hub.dataDir])).stdout)
    expect(lines.find(({ target }: { target: string }) => target === 'ben')).toMatchObject({
      actor: 'admin',
      action: 'invite',
      tokenId: 'admin.sock',
      address: 'admin.sock',
    })
    await hub.stop()
    expect(existsSync(socket)).toBe(false)
  })

  test('is created again after the hub was killed; a second hub on the directory leaves it to the first', async () => {
    const hub = await startHub()
    await hub.crashAndRestart()
    const status = () => run(['status', '--json', '--data', hub.dataDir])
    expect(await status()).toMatchObject({ code: 0 })
    expect((await run(['hub', '--port', '0', '--data', hub.dataDir], { node: hubNode })).code).toBe(1)
    expect(await status()).toMatchObject({ code: 0 })
  })

  test('works in a directory whose path is too long for a socket', async () => {
    const dataDir = join(tempDir('long'), 'd'.repeat(120), 'data')
    const hub = await startHub({ dataDir })
    expect(await run(['status', '--data', dataDir])).toMatchObject({ code: 0, stderr: '' })
    await hub.crashAndRestart()
    expect(await run(['status', '--data', dataDir])).toMatchObject({ code: 0, stderr: '' })
    await hub.stop()
    expect(existsSync(join(dataDir, 'admin.sock'))).toBe(false)
  })

  test('that cannot be created leaves a hub that accepts messages, and reports why', async () => {
    const dataDir = join(tempDir('taken'), 'data')
    mkdirSync(join(dataDir, 'admin.sock'), { recursive: true })
    const hub = await startHub({ dataDir })
    expect(hub.log).toContain('is not a socket; remove it, and restart the hub')
    const byHand = ['--hub', hub.url.origin, '--token-file', join(dataDir, 'admin.token')]
    expect(await run(['status', ...byHand])).toMatchObject({ code: 0 })
    expect(await run(['status', '--data', dataDir])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot be trusted: it is not a socket. Nothing was sent to it.'),
    })
  })
})

test('no admin command sends anything to a process that took the port of a killed hub; each names that process', async () => {
  const hub = await startHub()
  await hub.stop('SIGKILL')
  const heard: string[] = []
  const squatter = createServer((incoming, response) => {
    heard.push(`${incoming.method} ${incoming.url} ${incoming.headers.authorization}`)
    response.end('{}')
  }).listen(hub.port, '127.0.0.1')
  onTestFinished(() => void squatter.close())
  const commands = [['status'], ['invite', 'eve'], ['rotate', 'eve'], ['backup'], ['settings']]
  for (const command of commands) {
    const { code, stdout, stderr } = await run([...command, '--data', hub.dataDir], { node: hubNode })
    expect([command, code, stdout]).toEqual([command, expect.toSatisfy(code => code !== 0), ''])
    expect(stderr).toContain(`No hub answers at ${hub.dataDir}/admin.sock: it was killed, or is starting.`)
    expect(stderr).toContain(`Its port ${hub.port} was taken by process ${process.pid}`)
  }
  expect(heard).toEqual([])
})

test('--hub and --token-file must be given together: the token of a data directory is not sent to an address from --hub alone', async () => {
  const hub = await startHub()
  for (const args of [
    ['--hub', hub.url.origin],
    ['--hub', hub.url.origin, '--data', hub.dataDir],
    ['--token-file', join(hub.dataDir, 'admin.token')],
  ])
    expect(await run(['status', ...args])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--hub and --token-file go together.'),
    })
})

describe('a socket that another user could have put there is refused:', () => {
  const [nobody, somebody] = [65_534, 65_533]

  /** Creates a directory with a socket that counts the connections to it. */
  async function planted(): Promise<{
    dir: string
    socket: string
    status: () => ReturnType<typeof run>
    met: () => number
  }> {
    const dir = tempDir('planted')
    const socket = join(dir, 'admin.sock')
    let met = 0
    const server = createSocket(connection => {
      met++
      connection.destroy()
    }).listen(socket)
    onTestFinished(() => void server.close())
    writeFileSync(join(dir, 'admin.token'), '', { mode: 0o600 })
    return { dir, socket, status: () => run(['status', '--data', dir]), met: () => met }
  }

  test.for([
    ['others may write to its directory', ({ dir }: { dir: string }) => chmodSync(dir, 0o777)],
    ['others may write to its directory', ({ dir }: { dir: string }) => chmodSync(dir, 0o720)],
    [
      `it belongs to the user ${somebody}`,
      ({ dir, socket }: { dir: string; socket: string }) => {
        chownSync(dir, nobody, nobody)
        chownSync(socket, somebody, somebody)
      },
    ],
    [
      'it is not a socket',
      ({ socket }: { socket: string }) => {
        renameSync(socket, `${socket}.real`)
        symlinkSync(`${socket}.real`, socket)
      },
    ],
    [
      'it is not a socket',
      ({ socket }: { socket: string }) => {
        rmSync(socket)
        writeFileSync(socket, '')
      },
    ],
  ] as const)('%s', async ([why, plant], context) => {
    if (why.startsWith('it belongs') && process.getuid?.() !== 0) context.skip('only root can give files away')
    const place = await planted()
    plant(place)
    expect(await place.status()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`cannot be trusted: ${why}. Nothing was sent to it.`),
    })
    expect(place.met()).toBe(0)
  })

  test('root uses one that belongs to the owner of the directory', async context => {
    if (process.getuid?.() !== 0) context.skip('only root can give files away')
    const place = await planted()
    for (const path of [place.dir, place.socket]) chownSync(path, nobody, nobody)
    await place.status()
    expect(place.met()).toBeGreaterThan(0)
  })
})

test('a hub that starts does not follow a symbolic link in place of its socket or its files', async () => {
  const dataDir = join(tempDir('link'), 'data')
  mkdirSync(dataDir, { recursive: true })
  symlinkSync('/tmp/nowhere', join(dataDir, 'admin.sock'))
  await expect(new TestHub({ dataDir }).start()).rejects.toThrow('admin.sock is a symbolic link, and is not followed.')
})
