import fs, { mkdirSync, readlinkSync, statSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../../test/support/temp.ts'
import { makeDirectory, replaceFile } from './replace-file.ts'

/** Returns a list that collects the paths that are synced from now on, in order. */
function syncedPaths(): string[] {
  const { fsyncSync } = fs
  const paths: string[] = []
  fs.fsyncSync = handle => {
    paths.push(readlinkSync(`/proc/self/fd/${handle}`))
    fsyncSync(handle)
  }
  syncBuiltinESMExports()
  onTestFinished(() => {
    fs.fsyncSync = fsyncSync
    syncBuiltinESMExports()
  })
  return paths
}

test('a new directory survives a power cut, and so do the parents created with it', () => {
  const home = tempDir('home')
  const synced = syncedPaths()
  makeDirectory(join(home, 'outbox', 'refused'))
  expect(synced).toEqual([home, join(home, 'outbox')])
  expect(statSync(join(home, 'outbox', 'refused')).mode & 0o777).toBe(0o700)
})

test('an existing directory is not synced again, and a file in its place is an error', () => {
  const home = tempDir('home')
  mkdirSync(join(home, 'outbox'))
  fs.writeFileSync(join(home, 'file'), '')
  const synced = syncedPaths()
  makeDirectory(join(home, 'outbox'))
  expect(() => makeDirectory(join(home, 'file'))).toThrow('EEXIST')
  expect(synced).toEqual([])
})

test('a replaced file survives a power cut: its content is synced before the rename, its directory after it', () => {
  const home = tempDir('home')
  const path = join(home, 'file')
  const synced = syncedPaths()
  replaceFile(path, 'text', 0o600)
  expect(synced).toEqual([expect.stringMatching(/\/file\.\d+\.new$/), home])
  expect(fs.readFileSync(path, 'utf8')).toBe('text')
})
