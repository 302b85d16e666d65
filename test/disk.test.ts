import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, type TestContext, test, vi } from 'vitest'
import { api } from '../src/protocol/api.ts'
import type { ClaudeNetError } from '../src/protocol/errors.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { startHub, TestHub, type TestMember } from './support/hub.ts'
import { smallDisk } from './support/mounts.ts'
import { cleanEnv, hubNode, program } from './support/program.ts'
import { printedSeed, seededRandom } from './support/random.ts'
import { errorOf, raw } from './support/raw.ts'
import { until } from './support/until.ts'

// A test starts a hub up to nine times.
vi.setConfig({ testTimeout: 180_000 })

function send({ client }: TestMember, body: { id: string; to: string; body: string }) {
  return client.call(api.sendMessage, { body })
}

async function texts({ client }: TestMember): Promise<string[]> {
  const all: string[] = []
  for (let after: string | undefined; ; ) {
    const { messages, more, cursor } = await client.call(api.readInbox, { query: { after } })
    all.push(...messages.map(({ body }) => body))
    if (more === 0) return all
    after = cursor
  }
}

test('on a full disk the hub reports it and serves reads; confirmed messages are there, and the rest is stored once there is room', async context => {
  const disk = smallDisk(context, '3m')
  const hub = await startHub({ dataDir: disk })
  const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
  const stored: string[] = []
  const refused: { id: string; to: string; body: string }[] = []
  for (let n = 0; refused.length < 3; n++) {
    const request = { id: newMessageId(), to: 'ben', body: `${n}`.padEnd(20_000, '.') }
    try {
      await send(ana, request)
      stored.push(request.body)
    } catch (error) {
      expect(error).toMatchObject({ code: 'unavailable', settled: false })
      expect((error as ClaudeNetError).message).toContain('disk is full')
      refused.push(request)
    }
  }
  expect(stored.length).toBeGreaterThan(10)
  expect(await texts(ben)).toEqual(stored)
  expect((await raw(hub, { path: '/healthz' })).status).toBe(200)
  expect(hub.log).toContain('the disk is full')

  execFileSync('mount', ['-o', 'remount,size=30m', disk])
  for (const request of refused) await send(ana, request)
  await until('it is ready', async () => (await raw(hub, { path: '/readyz' })).status === 200)
  const all = [...stored, ...refused.map(({ body }) => body)]
  expect(await texts(ben)).toEqual(all)
  await hub.crashAndRestart()
  expect(await texts(ben)).toEqual(all)
})

test('on a full disk that also has its log, a hub continues, and a killed one starts again: both serve reads', async context => {
  const disk = smallDisk(context, '3m')
  const intoDisk = ['sh', '-c', `exec "$@" >>${disk}/hub.log 2>&1`, 'sh']
  const hub = await startHub({ dataDir: disk, wrapper: intoDisk })
  const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
  const stored: string[] = []
  const fill = async () => {
    for (let n = 0, refused = 0; refused < 3; n++) {
      const request = { id: newMessageId(), to: 'ben', body: `${n}`.padEnd(20_000, '.') }
      await send(ana, request).then(
        () => stored.push(request.body),
        error => {
          expect(error).toMatchObject({ code: 'unavailable' })
          refused++
        },
      )
    }
  }
  await fill()
  // Fills the disk to the last byte, so that neither the log nor hub.url can be written.
  const fillToTheLastByte = () => {
    const ballast = openSync(join(disk, 'ballast'), 'a')
    expect(() => {
      for (;;) writeSync(ballast, Buffer.alloc(512))
    }).toThrow('ENOSPC')
    closeSync(ballast)
  }
  fillToTheLastByte()
  await fill()
  expect(await texts(ben)).toEqual(stored)

  await hub.stop('SIGKILL')
  // A wrong address, which the hub cannot replace on the full disk.
  writeFileSync(join(disk, 'hub.url'), 'http://127.0.0.1:1\n', { flag: 'r+' })
  const [command, ...args] = [...intoDisk, hubNode, program, 'hub', '--config', `${disk}.hub.json`]
  const again = spawn(command!, [...args, '--port', String(hub.port), '--data', disk], {
    stdio: 'ignore',
    env: cleanEnv(),
  })
  onTestFinished(() => void again.kill('SIGKILL'))
  await until('it answers', () =>
    raw(hub, { path: '/healthz' }).then(
      ({ status }) => status === 200,
      () => false,
    ),
  )
  expect(existsSync(join(disk, 'hub.url'))).toBe(false)
  // Fills the space that hub.url has freed, and the rest of the log's last page.
  fillToTheLastByte()
  for (let n = 0; n < 3; n++) await fill()
  expect(await texts(ben)).toEqual(stored)
  rmSync(join(disk, 'ballast'))
  execFileSync('mount', ['-o', 'remount,size=30m', disk])
  await until('it is ready', async () => (await raw(hub, { path: '/readyz' })).status === 200)
  // The next line of the log reports that lines are missing.
  again.kill('SIGHUP')
  await until('the line in the log', () =>
    readFileSync(join(disk, 'hub.log'), 'utf8').includes('lines of this log could not be written'),
  )
})

describe('a disk that fails under a running hub', () => {
  /** Makes every system call in `calls` fail in the hub from now on, as on a failing disk. */
  async function spoil(context: TestContext, hub: TestHub, calls: string, error: string): Promise<void> {
    const inject = ['-f', '-e', `trace=${calls}`, '-e', `inject=${calls}:error=${error}`, '-o', '/dev/null']
    const tracer: ChildProcess = spawn('strace', [...inject, '-p', String(hub.pid)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    onTestFinished(() => void tracer.kill())
    let said = ''
    tracer.stderr!.setEncoding('utf8').on('data', text => (said += text))
    const failed = new Promise<string>(resolve => tracer.on('error', ({ message }) => resolve(message)))
    const attached = until('strace is attached', () => {
      if (tracer.exitCode !== null) throw new Error(said)
      return said.includes('attached')
    }).then(
      () => '',
      (error: Error) => error.message,
    )
    const why = await Promise.race([failed, attached])
    if (why !== '') context.skip(`strace cannot be used here: ${why.trim()}`)
  }

  test.for([
    ['an fsync that fails', 'fsync,fdatasync', 'EIO'],
    ['a write that fails', 'pwrite64', 'EIO'],
    ['a file system that has become read-only', 'pwrite64', 'EROFS'],
  ] as const)(
    '%s: no send is confirmed, the hub exits with 70 and the reason, and its successor has everything confirmed before',
    async ([, calls, error], context) => {
      const hub = await startHub()
      const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
      await send(ana, { id: newMessageId(), to: 'ben', body: 'confirmed' })
      await spoil(context, hub, calls, error)
      const request = { id: newMessageId(), to: 'ben', body: 'not confirmed' }
      await expect(send(ana, request)).rejects.toMatchObject({ code: 'unavailable', settled: false })
      expect(await hub.ended()).toBe(70)
      expect(hub.log).toMatch(/"level":60.*"msg":"the store failed; the hub stops"/)

      await hub.start()
      // A send without a response may have been stored; after a retry it is stored once.
      await send(ana, request)
      expect(await texts(ben)).toEqual(['confirmed', 'not confirmed'])
    },
  )
})

test('on a read-only disk a hub does not start, and reports why', async context => {
  const disk = smallDisk(context, '10m')
  const hub = await startHub({ dataDir: disk })
  await hub.stop()
  execFileSync('mount', ['-o', 'remount,ro', disk])
  const again = new TestHub({ dataDir: disk })
  await expect(again.start()).rejects.toThrow(
    /ended \(1\)[\s\S]*claude-net: The store in \S+ cannot be written: .*\n.*Is its disk full or read-only/,
  )
  execFileSync('mount', ['-o', 'remount,rw', disk])
  await hub.start()
})

describe('a store damaged by the disk', () => {
  const bodies = Array.from({ length: 60 }, (_, n) => `body ${n} ${'abcdefgh'.repeat(80)}`)

  /** Creates a hub that was stopped, with sixty messages in the inbox of ben. */
  async function stopped(how: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') {
    const hub = await startHub()
    const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
    await Promise.all(bodies.map(body => send(ana, { id: newMessageId(), to: 'ben', body })))
    await hub.stop(how)
    return { hub, ana, ben, file: join(hub.dataDir, 'hub.db') }
  }

  test('one flipped bit in a text: that message shows an error in place of its text, the others are intact, and the log names it', async () => {
    const { hub, ana, ben, file } = await stopped()
    const at = readFileSync(file).indexOf('body 7 abc') + 9
    flip(file, at, 0x01)
    await hub.start()
    const { messages } = await ben.client.call(api.readInbox)
    expect(messages.map(({ damaged }) => damaged).filter(Boolean)).toHaveLength(1)
    const hurt = messages.find(({ damaged }) => damaged)!
    expect(hurt).toMatchObject({ from: 'ana', body: expect.stringContaining('damaged') })
    expect(
      messages
        .filter(({ damaged }) => !damaged)
        .map(({ body }) => body)
        .sort(),
    ).toEqual(bodies.filter(body => !body.startsWith('body 7 ')).sort())
    expect(hub.log).toContain(hurt.id)
    const seen = await ana.client.call(api.getMessage, { params: { id: hurt.id } })
    expect(seen.message).toMatchObject({ damaged: true })
    // It does not affect other messages.
    expect(await ben.client.call(api.ackInbox, { body: { ids: messages.map(({ id }) => id) } })).toMatchObject({
      unread: 0,
    })
  })

  test.each<[string, (file: string) => void, RegExp]>([
    [
      'its first page is zeros',
      file => overwrite(file, 0, Buffer.alloc(4096)),
      /store is damaged: file is not a database/,
    ],
    ['it was cut to nothing', file => truncateSync(file), /hub\.db is missing or empty/],
    ['it was cut in the middle', file => truncateSync(file, 40_000), /store is damaged/],
  ])('%s: the hub does not start with missing data, and says what to do', async (_, damage, says) => {
    const { hub, file } = await stopped()
    damage(file)
    const before = readFileSync(file)
    const again = new TestHub({ dataDir: hub.dataDir })
    const failure = await again.start().then(
      () => '',
      (error: Error) => error.message,
    )
    expect(failure).toMatch(/ended \(1\)/)
    expect(failure).toMatch(says)
    expect(failure).toContain('restore a backup')
    expect(failure).not.toContain('    at ')
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  test('a page of messages that is not read at the start is zeroed: the hub does not start', async () => {
    const { hub, file } = await stopped()
    const at = readFileSync(file).indexOf('body 30 ')
    overwrite(file, at - (at % 4096), Buffer.alloc(4096))
    await expect(new TestHub({ dataDir: hub.dataDir }).start()).rejects.toThrow(/store is damaged.*restore a backup/s)
  })

  test('flipped bits anywhere: a store that still opens shows every text as it was sent, or reports it as damaged', async () => {
    const { hub, ben, file } = await stopped()
    const size = readFileSync(file).length
    const original = readFileSync(file)
    let [whole, told] = [0, 0]
    const random = seededRandom(printedSeed())
    for (let round = 0; round < 8; round++) {
      overwrite(file, 0, original)
      for (let n = 0; n < 4; n++) flip(file, 4096 + Math.floor(random() * (size - 4096)), 1 << (n % 8))
      const again = new TestHub({ dataDir: hub.dataDir, port: hub.port })
      onTestFinished(() => again.stop('SIGKILL').then(() => {}))
      const started = await again.start().then(
        () => true,
        () => false,
      )
      if (!started) {
        told++
        continue
      }
      const answer = await raw(again, { path: '/v1/inbox', token: ben.token })
      if (answer.status !== 200) {
        expect(['internal', 'unavailable', 'unauthorized']).toContain(errorOf(answer).code)
        told++
      } else {
        for (const { body, damaged } of (answer.json as { messages: { body: string; damaged?: true }[] }).messages) {
          if (damaged) told++
          else {
            whole++
            expect(bodies).toContain(body)
          }
        }
      }
      await again.stop('SIGKILL')
    }
    console.log(`texts as sent: ${whole}, damage told: ${told}`)
    expect(whole + told).toBeGreaterThan(0)
  })
})

function overwrite(file: string, at: number, bytes: Uint8Array): void {
  const handle = openSync(file, 'r+')
  writeSync(handle, bytes, 0, bytes.length, at)
  closeSync(handle)
}

/** Inverts the bits in `mask` of one byte. */
function flip(file: string, at: number, mask: number): void {
  overwrite(file, at, Buffer.from([readFileSync(file)[at]! ^ mask]))
}
