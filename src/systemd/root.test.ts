import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tempDir } from '../../test/support/temp.ts'
import { Root } from './root.ts'

test.each([
  ['/etc/claude-net/hub.json', 'etc/claude-net/hub.json'],
  ['/absolute/claude-net', 'outside/claude-net'],
  ['/up/claude-net', 'outside/claude-net'],
  ['/opt/relative/file', 'etc/file'],
  ['/opt/twice/file', 'outside/file'],
  ['/opt/dangling', 'nowhere/at/all'],
])('links in a tree lead where they would on that system, never out of it: %s', (path, resolved) => {
  const dir = tempDir('tree')
  for (const name of ['etc', 'opt']) mkdirSync(join(dir, name))
  symlinkSync('/outside', join(dir, 'absolute'))
  symlinkSync('../../../../../../outside', join(dir, 'up'))
  symlinkSync('../etc', join(dir, 'opt/relative'))
  symlinkSync('../absolute', join(dir, 'opt/twice'))
  symlinkSync('/nowhere/at/all', join(dir, 'opt/dangling'))
  expect(new Root(dir).at(path)).toBe(join(dir, resolved))
})

test('a name that is a link itself can be told from what it leads to; a circle is said', () => {
  const dir = tempDir('tree')
  symlinkSync('/outside', join(dir, 'link'))
  symlinkSync('/circle', join(dir, 'circle'))
  const root = new Root(dir)
  expect([root.nameAt('/link'), root.nameAt('/link/link')]).toEqual([join(dir, 'link'), join(dir, 'outside/link')])
  expect(() => root.at('/circle/file')).toThrow('in a circle')
  expect(new Root().at('/etc/passwd')).toBe('/etc/passwd')
})
