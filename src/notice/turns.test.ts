import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tempDir } from '../../test/support/temp.ts'
import type { Scope } from '../client/project/scope.ts'
import type { SessionFile } from './live-sessions.ts'
import { SessionDir } from './session-dir.ts'
import { noteState } from './session-state.ts'
import { Turns } from './turns.ts'

/** Creates a home with sessions that run in this very process; the last name was active last. */
function startSessions(...names: string[]) {
  return startInProjects(Object.fromEntries(names.map(name => [name, undefined])))
}

/** Does the same with a scope for each session. */
function startInProjects(scopes: Record<string, Scope>) {
  const names = Object.keys(scopes)
  const home = tempDir('turns')
  const dirs = names.map((name, index) => {
    const dir = new SessionDir(name, home)
    mkdirSync(dir.path, { recursive: true })
    const project = scopes[name]
    const session = { session: name, ...(project !== undefined && { project }) }
    const file = { ...session, pid: process.pid, startedAt: index, version: '0.1.0' }
    dir.write('session.json', file satisfies SessionFile)
    return dir
  })
  const turns = Object.fromEntries(names.map(name => [name, new Turns(name, home)])) as Record<string, Turns>
  /** Returns the sessions that get the turn when all request it at `now`, in this order. */
  const ask = (now: number, until: number) => names.filter(name => turns[name]!.take(['m'], now, until).length > 0)
  return { home, dirs, turns, ask }
}

test('a message is offered to one session at a time: first to the most recently active, then to the next when its turn expires', () => {
  const { turns, ask } = startSessions('old', 'young')
  expect(ask(0, 30)).toEqual(['young'])
  expect(ask(29, 30)).toEqual([])
  turns.young!.extend('m', 60)
  expect(ask(59, 60)).toEqual([])
  expect(ask(60, 90)).toEqual(['old'])
  expect(ask(1000, 1030)).toEqual([])
})

test('the turn of a session that has ended is over at once', () => {
  const { dirs, ask } = startSessions('old', 'young')
  ask(0, 30)
  rmSync(dirs[1]!.path, { recursive: true })
  expect(ask(1, 31)).toEqual(['old'])
})

test('a message returns to a session that had its turn once the last one has ended', () => {
  const { dirs, turns, ask } = startSessions('old', 'young')
  expect([...ask(0, 30), ...ask(30, 60)]).toEqual(['young', 'old'])
  expect(ask(100, 130)).toEqual([])
  rmSync(dirs[0]!.path, { recursive: true })
  expect([...ask(101, 131), ...ask(200, 230)]).toEqual(['young'])
  turns.young!.extend('m', 260)
  expect([turns.young!.mine(['m']), turns.young!.lost(['m'])]).toEqual([['m'], []])
})

test('of several sessions that request a turn at once, one gets it', () => {
  const { turns } = startSessions('a', 'b', 'c')
  const taken = ['a', 'b', 'c', 'a', 'b', 'c'].flatMap(name => turns[name]!.take(['m'], 0, 30))
  expect(taken).toEqual(['m'])
})

test('turns of messages that are no longer unread are deleted', () => {
  const { turns, ask } = startSessions('one')
  ask(0, 30)
  turns.one!.keepOnly(new Set(['m']), undefined)
  expect(ask(0, 30)).toEqual([])
  turns.one!.keepOnly(new Set(), undefined)
  expect(ask(0, 30)).toEqual(['one'])
})

test('a turn that has not expired stays after one session has seen the message acked: others may not have', () => {
  const { dirs, turns } = startSessions('old', 'young')
  const now = Date.now()
  expect(turns.young!.take(['m'], now, now + 30_000)).toEqual(['m'])
  turns.young!.keepOnly(new Set(), undefined)
  noteState(dirs[0]!, { hook_event_name: 'Stop' }, undefined, { at: now })
  expect(turns.old!.take(['m'], now, now + 30_000)).toEqual([])
})

test('a turn whose file a power loss has damaged is over', () => {
  const { home, turns } = startSessions('old', 'young')
  turns.young!.take(['m'], 0, 30)
  const file = join(home, 'run/turns/m.1')
  writeFileSync(file, '{"sess')
  const take = () => new Turns('young', home).take(['m'], 1, 31)
  expect(take()).toEqual([])
  utimesSync(file, 0, 0)
  expect(take()).toEqual(['m'])
})

test('a message for a project is the turn only of its sessions and of those that read all messages of the machine', () => {
  const { turns } = startInProjects({ old: undefined, shop: 'shop', none: '', billing: 'billing' })
  const projectOf = () => 'shop'
  const ask = (now: number) =>
    Object.keys(turns).filter(name => turns[name]!.take(['m'], now, now + 30, { projectOf }).length > 0)
  expect(ask(0)).toEqual(['shop'])
  expect(ask(30)).toEqual(['old'])
  expect(ask(60)).toEqual([])
  expect(turns.billing!.take(['n'], 0, 30)).toEqual(['n'])
})

test('a session does not delete turns of messages that it does not read', () => {
  const { home, turns } = startInProjects({ shop: 'shop', billing: 'billing' })
  const projectOf = () => 'shop'
  turns.shop!.take(['m'], 0, 30, { projectOf })
  turns.shop!.extend('m', 60)
  turns.billing!.keepOnly(new Set(), 'billing')
  expect(new Turns('shop', home).take(['m'], 70, 90, { projectOf })).toEqual([])
  turns.shop!.keepOnly(new Set(), 'shop')
  expect(new Turns('shop', home).take(['m'], 70, 90, { projectOf })).toEqual(['m'])
})
