import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { tempDir } from '../../test/support/temp.ts'
import type { HubClient } from '../client/hub-client.ts'
import { Keeper } from './keeper.ts'
import { dirToOwn, isOwned, liveSessions, type SessionFile } from './live-sessions.ts'
import { systemRuntime } from './runtime.ts'
import { placedDir, SessionDir } from './session-dir.ts'

/** A process id that does not exist here. */
const unusedPid = 2 ** 22 + 1

function startSession(home: string, key: string, file: Partial<SessionFile>) {
  const dir = new SessionDir(key, home)
  mkdirSync(dir.path, { recursive: true })
  dir.write('session.json', {
    session: key,
    pid: unusedPid,
    startedAt: 0,
    version: '0.1.0',
    ...file,
  } satisfies SessionFile)
  return dir
}

test('a session of another container counts as running while its file is touched, whatever its process id means here', () => {
  const home = tempDir('shared')
  const elsewhere = startSession(home, 'elsewhere', { place: 'another' })
  startSession(home, 'ended', { place: systemRuntime.place })
  startSession(home, 'before', {})
  startSession(home, 'here', { pid: process.pid, place: systemRuntime.place })
  expect(
    liveSessions(home)
      .map(({ session }) => session)
      .sort(),
  ).toEqual(['elsewhere', 'here'])
  const longAgo = Date.now() / 1000 - 60
  utimesSync(elsewhere.file('session.json'), longAgo, longAgo)
  expect(isOwned(elsewhere, elsewhere.read<SessionFile>('session.json')!)).toBe(false)
  elsewhere.touch('session.json', Date.now())
  expect(isOwned(elsewhere, elsewhere.read<SessionFile>('session.json')!)).toBe(true)
  // The same id in both places is not the same process.
  startSession(home, 'elsewhere', { place: 'another', pid: process.pid })
  expect(dirToOwn('elsewhere', home).path).toBe(placedDir('elsewhere', home).path)
  expect(dirToOwn('here', home).key).toBe('here')
})

/** A keeper with a hub that has one unread request. */
function startKeeper(home: string, key: string) {
  writeFileSync(join(home, 'config.json'), '{}')
  const message = {
    id: '01900000-0000-7000-8000-000000000001',
    seq: 1,
    from: 'chas',
    fromKind: 'human',
    to: ['sean'],
    sentAt: new Date().toISOString(),
    intent: 'request',
    body: 'look',
  }
  const client = {
    now: Date.now,
    call: async () => ({ messages: [message], unread: 1, more: 0, cursor: '' }),
    async *events({ opened }: { opened?: () => void }) {
      opened?.()
      await new Promise(() => {})
    },
  }
  const keeper = new Keeper({
    key,
    session: `session-${key}`,
    home,
    env: {},
    client: () => client as unknown as HubClient,
    scope: () => undefined,
    pushChannel: async () => {},
    report: () => {},
  })
  keeper.start()
  onTestFinished(() => keeper.close())
  return keeper
}

const newsIn = (dir: SessionDir, place = 'news') => (existsSync(dir.file(place)) ? readdirSync(dir.file(place)) : [])

test('a keeper whose directory was deleted claims it again and repeats its notices', async () => {
  const home = tempDir('lost')
  startKeeper(home, '77')
  const dir = new SessionDir('77', home)
  await vi.waitFor(() => expect(newsIn(dir)).toHaveLength(1), 10_000)
  rmSync(join(home, 'run'), { recursive: true })
  // Announced by a hook or, if the time for a wake has come meanwhile, by that.
  const files = () => [newsIn(dir), newsIn(dir, 'told')].flat()
  await vi.waitFor(() => expect([dir.read('session.json'), files().length]).toEqual([expect.anything(), 1]), 10_000)
})

test('a keeper does not touch the directories of another container, even one with its own key', async () => {
  const home = tempDir('neighbours')
  const same = startSession(home, '77', { place: 'another' })
  const other = startSession(home, '78', { place: 'another' })
  startKeeper(home, '77')
  await vi.waitFor(() => expect(placedDir('77', home).read('session.json')).toBeDefined(), 10_000)
  expect([same, other].map(dir => dir.read<SessionFile>('session.json')?.place)).toEqual(['another', 'another'])
})

test('a keeper does not create its directory again in a home that has left', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'setTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const home = tempDir('left')
  startKeeper(home, '77')
  const dir = new SessionDir('77', home)
  expect(dir.read('session.json')).toBeDefined()
  rmSync(join(home, 'config.json'))
  rmSync(join(home, 'run'), { recursive: true })
  await vi.advanceTimersByTimeAsync(5000)
  expect(existsSync(dir.path)).toBe(false)
  writeFileSync(join(home, 'config.json'), '{}')
  await vi.advanceTimersByTimeAsync(5000)
  expect(existsSync(dir.path)).toBe(true)
})
