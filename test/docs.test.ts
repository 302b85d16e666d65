import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { faults } from '../prove/suite/faults.ts'
import { readHubConfig } from '../src/hub/config/hub-config.ts'
import { api } from '../src/protocol/api.ts'
import { bootSystem } from './support/booted-system.ts'
import { tempDir } from './support/temp.ts'

/** Documents whose commands are run in this order on one system, as by an admin who follows them. */
const walkedThrough = ['docs/operations.md', 'docs/backups.md', 'docs/joining.md', 'docs/security.md']

/** The join code in the documents, which is replaced by a real one. */
const sampleCode = '7Q2M-XK4T-B0ZD-91FH'

/** The key in the documents, which is replaced by that of the hub. */
const sampleKey = 'sha256//q1Xo3J0pTz0W8mY1u5cYk0dS9vYb7l2mWc4oR6tE8hA='

/** Returns the blocks of a document whose fence is marked with `mark`, in order, each with the number of its first line. */
function blocks(path: string, mark: string): { line: number; text: string }[] {
  const text = readFileSync(path, 'utf8')
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)]
    .filter(([, info]) => info === mark)
    .map(match => ({ line: text.slice(0, match.index).split('\n').length + 1, text: match[2]! }))
}

test('every command in the documents that is marked to run works on a fresh system with a real hub', {
  timeout: 600_000,
}, async context => {
  const system = await bootSystem(context)
  // The host's address on its bridge, as in the documents.
  await system.out('ip address add 10.0.3.1/24 dev lo')
  let code = ''
  let key = ''
  let ran = 0
  for (const path of walkedThrough) {
    for (const { line, text } of blocks(path, 'sh run')) {
      const script = `set -eux\ncd /mnt/shared/package\n${text
        .replaceAll(sampleCode, code || sampleCode)
        .replaceAll(sampleKey, key || sampleKey)}`
      const { code: status, stdout, stderr } = await system.sh(script)
      expect(status, `${path}:${line}\n${stdout}${stderr}`).toBe(0)
      code = /\/join\/([0-9A-Z-]{19})"'.* \| sh/.exec(stdout)?.[1] ?? code
      key = /pinnedpubkey="([^"]*)"/.exec(stdout)?.[1] ?? key
      ran += text.split('\n').filter(each => each !== '').length
    }
  }
  expect(ran).toBeGreaterThan(25)
})

test('every hub.json in the documents is valid', () => {
  const found = globSync('docs/*.md').flatMap(path => blocks(path, 'json'))
  expect(found.length).toBeGreaterThan(1)
  for (const { text } of found) {
    const config = join(tempDir('config'), 'hub.json')
    writeFileSync(config, text)
    expect(() => readHubConfig({ config }), text).not.toThrow()
  }
})

test('every route of the contract is in docs/protocol.md', () => {
  const text = readFileSync('docs/protocol.md', 'utf8')
  for (const { path } of Object.values(api)) {
    const last = path.split('/').at(-1)!
    expect(text.includes(path) || text.includes(`…/${last}`), path).toBe(true)
  }
})

test('every link in the documents has a target', () => {
  for (const path of ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md')]) {
    const links = /\]\((?!https?:)([^)\s]*)\)|\bsrc(?:set)?="([^"]*)"/g
    for (const [, link, image] of readFileSync(path, 'utf8').matchAll(links)) {
      const target = link ?? image!
      const [file, anchor] = target.split('#') as [string, string?]
      const other = file === '' ? path : join(dirname(path), file)
      if (!other.endsWith('.md')) {
        expect(globSync(other), `${path}: ${target}`).not.toEqual([])
        continue
      }
      const headings = [...readFileSync(other, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
        heading!
          .toLowerCase()
          .replaceAll(/[^a-z0-9 -]/g, '')
          .replaceAll(' ', '-'),
      )
      const places = [...readFileSync(other, 'utf8').matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id!)
      if (anchor !== undefined) expect([...headings, ...places], `${path}: ${target}`).toContain(anchor)
    }
  }
})

test.for(['CONTRIBUTING.md', 'docs/architecture.md'])('every source file named in %s exists', path => {
  const files = globSync('{*,{src,test,prove,bench,docs,plugin}/**/*}.{ts,tsx}')
  const named = new Set(readFileSync(path, 'utf8').match(/(?<![\w*/.-])(?:[\w-]+\/)*[\w-]+(?:\.test)?\.tsx?\b/g))
  expect(named.size).toBeGreaterThan(20)
  for (const name of named)
    expect(
      files.filter(file => `/${file}`.endsWith(`/${name}`)),
      name,
    ).not.toEqual([])
  // Directories of sources.
  for (const [, folder] of readFileSync(path, 'utf8').matchAll(/`((?:src|test|prove)(?:\/[\w-]+)+)\/?`/g))
    expect(globSync(folder!), folder).not.toEqual([])
})

test('every promise of the README links to its row in docs/proof.md, and each row to its evidence', () => {
  const promises = readFileSync('README.md', 'utf8')
    .match(/^- \[\*\*.*$/gm)!
    .map(line => /^- \[\*\*(.+)\.\*\*\]\(docs\/proof\.md#([a-z-]+)\) /.exec(line)?.slice(1) ?? [line])
  const rows = [...readFileSync('docs/proof.md', 'utf8').matchAll(/^\| <a id="([a-z-]+)"><\/a>([^|]+) \| (.*) \|$/gm)]
  expect(rows.map(([, id, promise]) => [promise, id])).toEqual(promises)
  for (const [, , promise, rest] of rows) {
    const [, tests = '', planted = '', fuzzed = ''] = rest!.split(' | ').map(cell => cell.trim())
    expect(tests, promise).toMatch(/\.test\.ts\)/)
    for (const name of planted.split('; ').filter(each => each !== ''))
      expect(
        faults.map(fault => fault.name),
        promise,
      ).toContain(name)
    for (const [, name] of fuzzed.matchAll(/`([^`]+)`/g))
      expect(globSync(`prove/fuzz/corpus/${name}`), promise).not.toEqual([])
  }
})

test('decisions are numbered without gaps or duplicates, and architecture.md links to each', () => {
  const files = globSync('docs/decisions/*.md').sort()
  const architecture = readFileSync('docs/architecture.md', 'utf8')
  expect(files.length).toBeGreaterThan(1)
  for (const [index, path] of files.entries()) {
    const number = index + 1
    expect(basename(path)).toMatch(new RegExp(`^${String(number).padStart(4, '0')}-`))
    expect(readFileSync(path, 'utf8')).toMatch(new RegExp(`^# ${number}\\. `))
    expect(architecture).toContain(`](decisions/${basename(path)})`)
  }
})
