import { expect, test } from 'vitest'
import type { HubKey } from '../protocol/hub-key.ts'
import type { Home } from './home.ts'
import { machinePin } from './new-hub-key.ts'

const key = (letter: string) => `sha256//${letter.repeat(43)}=` as HubKey
const [before, after, other] = [key('A'), key('B'), key('C')]

function homeWith(hubKey: HubKey, failure?: Error) {
  const config = { machine: 'ana', sshHost: 'local', hubKey }
  const home = {
    configFile: 'config.json',
    credentials: () => ({ config }),
    readConfig: () => config,
    writeConfig: (changes: object) => {
      if (failure) throw failure
      Object.assign(config, changes)
    },
  } as unknown as Home
  const said: string[] = []
  return { config, said, ...machinePin(home, undefined, text => void said.push(text)) }
}

test('a new key replaces the old one, which is reported once', () => {
  const { pin, onNewKey, config, said } = homeWith(before)
  expect(pin()).toBe(before)
  onNewKey({ from: before, to: after })
  onNewKey({ from: before, to: after })
  expect([pin(), config.hubKey, said.length]).toEqual([after, after, 1])
})

test('a key that was pinned meanwhile stays', () => {
  const { pin, onNewKey, config } = homeWith(other)
  onNewKey({ from: before, to: after })
  expect([pin(), config.hubKey]).toEqual([other, other])
})

test('if config.json cannot be written, the process uses the new key, and reports why', () => {
  const { pin, onNewKey, config, said } = homeWith(before, Object.assign(new Error('no'), { code: 'EROFS' }))
  onNewKey({ from: before, to: after })
  expect([pin(), config.hubKey]).toEqual([after, before])
  expect(said.join()).toContain('config.json cannot be changed: the disk is read-only.')
  // A key that was pinned by hand meanwhile takes precedence.
  config.hubKey = other
  expect(pin()).toBe(other)
})
