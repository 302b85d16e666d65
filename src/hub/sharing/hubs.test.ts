import { expect, onTestFinished, test, vi } from 'vitest'
import { MemoryBoard } from '../../../test/support/memory-board.ts'
import { TestState } from '../../../test/support/test-state.ts'
import { type Command, entryVersion } from '../state/commands.ts'
import { rulesInForce } from '../state/query/hubs.ts'
import { alone } from './duty.ts'
import { hubStateTopic } from './hub-state.ts'
import { Hubs, type Ways } from './hubs.ts'

const idle = { isMine: false, onChange: () => () => {} }

/** Hub h0 of a history, with a board for other hubs. */
function start({ duty = alone, isShared = true } = {}) {
  const made = new TestState()
  const board = new MemoryBoard()
  const submitted: Command[] = []
  const log = { isAway: false }
  const ways: Ways = { url: 'https://h0.example.org:3500' }
  const hubs = new Hubs({
    ...{ name: 'h0', isShared, state: made.state, board: board.connect('h0'), duty },
    apart: () => undefined,
    submit: async command => {
      if (log.isAway) throw new Error('unavailable')
      submitted.push(command)
      const outcome = made.apply(command)
      if (!outcome.ok) throw new Error(outcome.refusal.code)
      hubs.changed()
      return outcome.result
    },
    ways: () => ways,
  })
  onTestFinished(() => hubs.close())
  const announce = (name: string, entryVersion = 3) =>
    made.do({ type: 'hub.announce', name, version: '1.0.0', entryVersion })
  const show = (name: string, more: object = {}) =>
    board.set(
      `${name}/${hubStateTopic}`,
      JSON.stringify({ offset: 5, seq: 9, log: 'l', outcomes: 'o', version: '1.0.0', entryVersion: 3, at: 0, ...more }),
    )
  return { made, hubs, board, submitted, log, ways, announce, show }
}

test('a hub announces itself once, and again when its data have changed or it was removed', async () => {
  const { made, hubs, submitted, ways } = start()
  await hubs.announce()
  await hubs.announce()
  expect(submitted).toMatchObject([
    { type: 'hub.announce', name: 'h0', url: 'https://h0.example.org:3500', entryVersion },
  ])
  ways.ssh = 'claude@h0:2222'
  await hubs.announce()
  expect(submitted).toHaveLength(2)
  made.do({ type: 'hub.forget', name: 'h0' })
  hubs.changed()
  await vi.waitFor(() => expect(submitted).toHaveLength(3))
  expect(hubs.list({ isAdmin: false }).hubs).toMatchObject([{ name: 'h0', ssh: 'claude@h0:2222', self: true }])
})

test('an announcement that the log does not accept is retried', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { hubs, submitted, log } = start()
  log.isAway = true
  await hubs.announce()
  await vi.advanceTimersByTimeAsync(5000)
  expect(submitted).toHaveLength(0)
  log.isAway = false
  await vi.advanceTimersByTimeAsync(30_000)
  expect(submitted).toMatchObject([{ type: 'hub.announce', name: 'h0' }])
})

test('a standalone hub lists itself, writes nothing, and has no rules', async () => {
  const { hubs, submitted } = start({ isShared: false })
  await hubs.announce()
  expect(submitted).toEqual([])
  expect(hubs.list({ isAdmin: true })).toMatchObject({ hubs: [{ name: 'h0', self: true }], rules: null })
  expect(hubs.status()).toBeNull()
})

test('a member sees the announced hubs, an admin also their progress and unannounced ones', () => {
  const { hubs, announce, show, board } = start()
  announce('h0')
  announce('h1')
  announce('h2')
  show('h1', { offset: 3 })
  show('stranger')
  expect(hubs.list({ isAdmin: false })).toEqual({
    hubs: ['h0', 'h1', 'h2'].map(name => expect.objectContaining({ name, self: name === 'h0' })),
  })
  expect(Object.keys(hubs.list({ isAdmin: false }).hubs[1]!)).toEqual(['name', 'url', 'ssh', 'hubKey', 'self'])
  const { hubs: seen } = hubs.list({ isAdmin: true })
  expect(seen.map(({ name, isLive, offset, lag }) => ({ name, isLive, offset, lag }))).toEqual([
    { name: 'h0', isLive: true, offset: 3, lag: 2 },
    { name: 'h1', isLive: true, offset: 3, lag: 2 },
    { name: 'h2', isLive: false, offset: null, lag: null },
    { name: 'stranger', isLive: true, offset: 5, lag: 0 },
  ])
  // Its last state stays visible, and it is shown as offline.
  board.set(`h1/${hubStateTopic}`, undefined)
  expect(hubs.list({ isAdmin: true }).hubs[1]).toMatchObject({ name: 'h1', isLive: false, offset: 3, duty: false })
})

test.for(['', '{', '{}', '[]', '{"offset":-1}', '{"offset":"5"}', `{"offset":1e400}`])(
  'a malformed state (%j) on the board is ignored',
  value => {
    const { hubs, announce, board } = start()
    announce('h1')
    board.set(`h1/${hubStateTopic}`, value)
    expect(hubs.list({ isAdmin: true }).hubs[1]).toMatchObject({ name: 'h1', offset: null, version: '1.0.0' })
  },
)

test('fifty hubs are listed by name', () => {
  const { hubs, announce } = start()
  for (let index = 0; index < 50; index++) announce(`hub-${String(index).padStart(2, '0')}`)
  const names = hubs.list({ isAdmin: true }).hubs.map(({ name }) => name)
  expect(names).toHaveLength(51)
  expect(names).toEqual(names.toSorted())
})

test('forget removes only a hub that is offline; a running hub and this one are refused, an unknown one is not found', async () => {
  const { hubs, announce, show, board } = start()
  announce('h1')
  show('h1')
  await expect(hubs.forget('h1')).rejects.toThrow(/h1 is running/)
  await expect(hubs.forget('h0')).rejects.toThrow(/was asked/)
  board.set(`h1/${hubStateTopic}`, undefined)
  await hubs.forget('h1')
  await expect(hubs.forget('h1')).rejects.toThrow('not_found')
})

test('the hub with the duty raises the rules once every announced hub supports them', async () => {
  const { made, hubs, announce, submitted } = start()
  made.state.db.run('update rules set version = ?', entryVersion - 1)
  await hubs.announce()
  expect(rulesInForce(made.state.db)).toBe(entryVersion)

  made.state.db.run('update rules set version = ?', entryVersion - 1)
  announce('old', entryVersion - 1)
  submitted.length = 0
  hubs.changed()
  expect(submitted).toEqual([])
  expect(made.apply({ type: 'rules.raise', to: entryVersion })).toMatchObject({ ok: false })
  made.do({ type: 'hub.forget', name: 'old' })
  hubs.changed()
  await vi.waitFor(() => expect(rulesInForce(made.state.db)).toBe(entryVersion))

  const other = start({ duty: idle })
  other.made.state.db.run('update rules set version = ?', entryVersion - 1)
  await other.hubs.announce()
  expect(rulesInForce(other.made.state.db)).toBe(entryVersion - 1)
})

test('raising rules that this program does not support stops it, and is refused while an announced hub does not support them', () => {
  const { made, announce } = start()
  announce('old')
  announce('new', entryVersion + 1)
  expect(made.apply({ type: 'rules.raise', to: entryVersion + 1 })).toMatchObject({
    refusal: { code: 'conflict', why: { code: 'hub_too_old', name: 'old' } },
  })
  made.do({ type: 'hub.forget', name: 'old' })
  expect(() => made.apply({ type: 'rules.raise', to: entryVersion + 1 })).toThrow(/rules 4; this one knows 3/)
})
