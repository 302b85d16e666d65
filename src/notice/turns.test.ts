import { mkdirSync, rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { tempDir } from '../../test/support/temp.ts'
import type { SessionFile } from './live-sessions.ts'
import { SessionDir } from './session-dir.ts'
import { Turns } from './turns.ts'

/** A home with sessions that live in this very process, the last named active last. */
function startSessions(...names: string[]) {
  const home = tempDir('turns')
  const dirs = names.map((name, index) => {
    const dir = new SessionDir(name, home)
    mkdirSync(dir.path, { recursive: true })
    const file = { session: name, pid: process.pid, startedAt: index, version: '0.1.0' }
    dir.write('session.json', file satisfies SessionFile)
    return dir
  })
  const turns = Object.fromEntries(names.map(name => [name, new Turns(name, home)])) as Record<string, Turns>
  /** Who gets the turn when all ask at `now`, in this order. */
  const ask = (now: number, until: number) => names.filter(name => turns[name]!.take(['m'], now, until).length > 0)
  return { dirs, turns, ask }
}

test('a message is offered to one session at a time: where something happened last, then to the next when its time is over', () => {
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

test('of any number that ask at once, one gets the turn', () => {
  const { turns } = startSessions('a', 'b', 'c')
  const taken = ['a', 'b', 'c', 'a', 'b', 'c'].flatMap(name => turns[name]!.take(['m'], 0, 30))
  expect(taken).toEqual(['m'])
})

test('turns of what is no longer unread are forgotten', () => {
  const { turns, ask } = startSessions('one')
  ask(0, 30)
  turns.one!.keepOnly(new Set(['m']))
  expect(ask(0, 30)).toEqual([])
  turns.one!.keepOnly(new Set())
  expect(ask(0, 30)).toEqual(['one'])
})
