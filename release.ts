// Prepares a release from a clean checkout: version, notes, golden client, all checks, package, commit and tag. It publishes nothing.
// `npm run release -- --help` shows its usage.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const help = `Usage: npm run release -- VERSION [--dry-run]

Prepare a release from a clean checkout: version, notes, golden client, all checks, package, commit and tag. Nothing is published; the
commands that publish it are printed.

Options:
  --dry-run   Do everything but the commit and the tag, then restore the changed files, as after a failure
  -h, --help  Show this help

Example:
  npm run release -- 0.2.0 --dry-run`

/** Files that a release changes, besides its golden client. */
const changed = ['package.json', 'package-lock.json', 'plugin/.claude-plugin/plugin.json', 'CHANGELOG.md']

/** The command that is running, and the first signal that this program received. */
let running: ChildProcess | undefined
let interruptedBy: NodeJS.Signals | undefined

/** Prepares the release. Throws an error with a message for the user of the script. */
async function release(version: string, isDryRun: boolean): Promise<void> {
  const [tag, golden, file] = [`v${version}`, `test/golden/client-${version}.mjs.gz`, `claude-net-${version}.tgz`]
  const current = (readJson('package.json') as { version: string }).version
  const dirty = git('status', '--porcelain')
  if (dirty !== '') throw new Error(`The checkout has uncommitted changes:\n${dirty}`)
  if (git('tag', '--list', tag) !== '') throw new Error(`The tag ${tag} exists.`)
  if (existsSync(golden)) throw new Error(`${version} was released: ${golden} exists.`)
  if (compare(version, current) < 0)
    throw new Error(`${version} is older than ${current}, the version of package.json.`)
  const notes = notesOf(readFileSync('CHANGELOG.md', 'utf8'))

  let isDone = false
  try {
    await run('npm', 'version', version, '--no-git-tag-version', '--allow-same-version')
    const plugin = 'plugin/.claude-plugin/plugin.json'
    writeFileSync(plugin, `${JSON.stringify({ ...readJson(plugin), version }, null, 2)}\n`)
    const today = new Date().toISOString().slice(0, 10)
    writeFileSync(
      'CHANGELOG.md',
      readFileSync('CHANGELOG.md', 'utf8').replace(/^## Unreleased$/m, `## ${version} (${today})`),
    )
    await run('npm', 'run', 'build')
    // The tests run it against this hub, as they run those of earlier releases.
    writeFileSync(golden, gzipSync(readFileSync('dist/claude-net.mjs'), { level: 9 }))
    await run('npm', 'run', 'check')
    await run('npm', 'pack')
    const packed = JSON.parse(execFileSync('tar', ['-xzOf', file, 'package/package.json'], { encoding: 'utf8' }))
    if (packed.version !== version) throw new Error(`${file} has the version ${packed.version}.`)
    if (!isDryRun) {
      git('add', '--', ...changed, golden)
      git('commit', '--quiet', '--message', `release: ${version}`)
      git('tag', '--annotate', tag, '--message', `${version}\n\n${notes}`)
    }
    isDone = !isDryRun
  } finally {
    if (!isDone) {
      git('checkout', '--quiet', 'HEAD', '--', ...changed)
      for (const made of [golden, file]) rmSync(made, { force: true })
    }
  }
  console.log(
    isDryRun
      ? `${version} can be released. Nothing was committed.`
      : `${version} is committed and tagged as ${tag}. Nothing was published. To publish it:
  git push --atomic origin HEAD ${tag}
  npm publish ${file}`,
  )
}

/** Returns the notes under "Unreleased". Throws if there are none. */
function notesOf(changelog: string): string {
  const notes = changelog.split(/^## /m).find(part => part.startsWith('Unreleased\n'))
  const text = notes?.slice('Unreleased\n'.length).trim()
  if (!text) throw new Error('CHANGELOG.md has nothing under the heading "## Unreleased".')
  return text
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

function readJson(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, 'utf8'))
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8' }).trim()
}

/** Runs a command in a process group of its own, so that a signal ends all of its processes. Throws if it fails or is interrupted. */
async function run(command: string, ...args: string[]): Promise<void> {
  console.log(`$ ${command} ${args.join(' ')}`)
  running = spawn(command, args, { stdio: 'inherit', detached: true })
  const [status] = await once(running, 'exit')
  running = undefined
  const failure = interruptedBy ? `was interrupted by ${interruptedBy}` : 'failed'
  if (interruptedBy || status !== 0)
    throw new Error(`${command} ${args.join(' ')} ${failure}; the checkout is as it was.`)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    interruptedBy ??= signal
    if (running?.pid) process.kill(-running.pid, signal)
  })

const [version = '', ...flags] = process.argv.slice(2)
try {
  if ([version, ...flags].some(word => word === '--help' || word === '-h')) {
    console.log(help)
    process.exit()
  }
  if (!/^\d+\.\d+\.\d+$/.test(version) || flags.some(flag => flag !== '--dry-run'))
    throw new Error('usage: npm run release -- VERSION [--dry-run]')
  await release(version, flags.includes('--dry-run'))
} catch (error) {
  console.error(`release: ${(error as Error).message}`)
  process.exitCode = 1
}
