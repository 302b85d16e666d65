import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { Corpus } from '../prove/fuzz/corpus.ts'
import type { FuzzResult } from '../prove/fuzz/loop.ts'
import { targets } from '../prove/fuzz/targets/all.ts'

test.for(targets)('$name has a corpus of at most 60 small files', ({ name, maxFiles = 60 }) => {
  const kept = new Corpus(name).read()
  expect(kept.length).toBeGreaterThan(0)
  expect(kept.length).toBeLessThanOrEqual(maxFiles)
  expect(kept.reduce((sum, { input }) => sum + input.byteLength, 0)).toBeLessThanOrEqual(100_000)
})

test('no input of the corpus breaks a promise', async () => {
  const main = join(import.meta.dirname, '../prove/main.ts')
  const child = spawn(process.execPath, [main, '--fuzz', '--replay', '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [output, said] = await Promise.all([text(child.stdout), text(child.stderr)])
  expect(output, said).toMatch(/^\{/)
  const { results } = JSON.parse(output) as { results: FuzzResult[] }
  expect(results.map(({ target }) => target)).toEqual(targets.map(({ name }) => name))
  expect(results.flatMap(({ failures }) => failures)).toEqual([])
  for (const { target, inputs } of results) expect(inputs, target).toBe(new Corpus(target).read().length)
}, 120_000)
