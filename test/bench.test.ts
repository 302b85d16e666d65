import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { cleanEnv, hubNode } from './support/program.ts'
import { tempDir } from './support/temp.ts'

const bench = join(import.meta.dirname, '../bench/main.ts')

function runBench(...args: string[]) {
  return promisify(execFile)(hubNode, [bench, ...args], { env: cleanEnv(), timeout: 90_000 })
}

test('the bench measures a row on a real hub and prints it beside its yardstick, with their ratio', async () => {
  const { stdout } = await runBench('--quick', '--only', 'broadcast', '--dir', tempDir('bench'))
  const lines = stdout.split('\n').filter(line => line.startsWith('|'))
  expect(lines[0]).toMatch(/what .*measured .*yardstick .*ratio .*budget .*verdict/)
  expect(lines.at(-1)).toMatch(/^\| broadcast to 100, one request \| [\d.]+ ms +\| [\d.]+ ms +\| [\d.]+ × +\| ≤ 1 ms /)
})

test('an unknown row is an error that lists the existing ones', async () => {
  const failed = await runBench('--only', 'broadcats').catch(error => error)
  expect(failed).toMatchObject({ code: 2, stderr: expect.stringMatching(/'broadcats'.*broadcast/) })
})
