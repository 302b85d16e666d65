import { expect, test } from 'vitest'
import { hubStateInWords, hubTroubles } from './hubs.ts'

const hub = (name: string, more: object = {}) => ({
  ...{ name, self: name === 'h0', version: '1.0.0', entryVersion: 3, isLive: true, offset: 7, outcomes: 'a' },
  ...more,
})

test('hubs that agree and support the same rules have no troubles', () => {
  expect(hubTroubles({ hubs: [hub('h0'), hub('h1')], rules: 3 })).toEqual([])
  expect(hubTroubles({ hubs: [], rules: 3 })).toEqual([])
})

test('an older hub that delays new rules is named', () => {
  const hubs = [hub('h0', { entryVersion: 4 }), hub('h1'), hub('h2', { entryVersion: 4 })]
  expect(hubTroubles({ hubs, rules: 3 })).toEqual(['What is new in rules 4 cannot be used before h1 is upgraded.'])
})

test('hubs with different outcomes at one record are reported; at different records they cannot be compared', () => {
  const wrong = hub('h1', { outcomes: 'b' })
  expect(hubTroubles({ hubs: [hub('h0'), wrong], rules: 3 })).toEqual([
    'h0 and h1 have come to different outcomes at record 7.',
  ])
  expect(hubTroubles({ hubs: [hub('h0'), { ...wrong, offset: 8 }], rules: 3 })).toEqual([])
})

test('the state of a hub shows its duty, that it is offline, or that it refuses commands', () => {
  expect(hubStateInWords(hub('h0', { duty: true }))).toBe('here, acts for all')
  expect(hubStateInWords(hub('h1', { isLive: false }))).toBe('OFFLINE')
  expect(hubStateInWords(hub('h1', { apart: 'Tied.' }))).toBe('running, REFUSES COMMANDS')
})
