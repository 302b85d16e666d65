import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { findTool, Newcomer } from './support/newcomer.ts'
import { hubNode } from './support/program.ts'
import { sharedHub } from './support/shared-hub.ts'
import { tempDir } from './support/temp.ts'

const hub = sharedHub()

test('a clone by a git that converts line endings to CRLF leaves files unchanged', context => {
  if (!findTool('git')) context.skip('git is not installed here')
  const [source, clone] = [tempDir('source'), join(tempDir('clone'), 'clone')]
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'core.autocrlf=true', '-c', 'user.name=x', '-c', 'user.email=x@example.com', ...args], {
      cwd: source,
      stdio: 'pipe',
    })
  const files = ['.gitattributes', 'install.sh', 'build.sh', 'plugin/bin/claude-net', 'plugin/not-joined.mjs']
  const binary = ['test/golden/hub-v1.db', 'test/golden/client-0.1.0.mjs.gz']
  for (const file of [...files, ...binary]) {
    mkdirSync(dirname(join(source, file)), { recursive: true })
    cpSync(file, join(source, file))
  }
  git('init', '-q')
  git('add', '.')
  git('commit', '-qm', 'x')
  git('clone', '-q', source, clone)
  for (const file of [...files, ...binary]) expect(readFileSync(join(clone, file)), file).toEqual(readFileSync(file))
})

/** Builds a checkout whose node_modules contains these packages, and returns the output. */
async function buildSays(packages: string[], node: string): Promise<string[]> {
  const newcomer = new Newcomer(hub)
  for (const tool of ['dirname', 'uname']) symlinkSync(findTool(tool)!, join(newcomer.tools, tool))
  writeFileSync(join(newcomer.userHome, 'node'), `#!/bin/sh\n${node}\n`, { mode: 0o755 })
  const checkout = tempDir('checkout')
  cpSync('build.sh', join(checkout, 'build.sh'))
  writeFileSync(join(checkout, 'build.ts'), "console.log('building')")
  for (const name of packages) {
    mkdirSync(join(checkout, 'node_modules', name), { recursive: true })
    writeFileSync(join(checkout, 'node_modules', name, 'package.json'), '{}')
    writeFileSync(join(checkout, 'node_modules', name, 'index.js'), '')
  }
  const { code, stdout, stderr } = await newcomer.sh(`PATH=$HOME:$PATH sh ${checkout}/build.sh`)
  expect([code, stdout]).toEqual(code === 0 ? [0, 'building\n'] : [1, ''])
  return stderr.split('\n')
}

const here = `@esbuild/${process.platform}-${process.arch}`
const node24 = `exec '${hubNode}' "$@"`
/** Returns a shell script that runs Node and makes it report another version or system. */
const nodeThatSays = (as: string) =>
  `[ "$1" = -e ] && exec '${hubNode}' -e "Object.defineProperty(process, 'versions', { value: { node: '20.1.0' } }); ${as}; $2"; exit 1`

test.for([
  ['nothing, when all is there', ['esbuild', here], node24, ''],
  ['the packages that NODE_ENV=production leaves out', [], node24, 'npm ci --include=dev'],
  ['what was installed for another system', ['esbuild', '@esbuild/other-cpu'], node24, 'another system than this'],
  ['a Node that does not start here', ['esbuild', here], 'exit 126', 'does not run on this system'],
  ['a Node that is too old', ['esbuild', here], nodeThatSays(''), /too old|brings none/],
  [
    'a Node that npm does not bring',
    ['esbuild', here],
    nodeThatSays("Object.defineProperty(process, 'platform', { value: 'darwin' })"),
    'npm ci brings none for darwin-',
  ],
] as const)('the build of a checkout without %s fails with one sentence', async ([, packages, node, sentence]) => {
  const [line, ...rest] = await buildSays([...packages], node)
  expect(line).toMatch(sentence === '' ? /^$/ : /^claude-net: [^\n]+\.$/)
  expect(line).toMatch(sentence)
  expect(rest).toEqual(sentence === '' ? [] : [''])
})
