import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { hubNode } from './support/program.ts'
import { tempDir } from './support/temp.ts'

/** Creates a small checkout with the files that a release changes. Its build and its checks are one line each. */
function startCheckout({ check = 'true' } = {}) {
  const dir = tempDir('checkout')
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
  const scripts = { build: 'mkdir -p dist && echo client > dist/claude-net.mjs', check }
  const manifest = { name: 'claude-net', version: '0.1.0', files: ['dist'], type: 'module', scripts }
  write('package.json', `${JSON.stringify(manifest, null, 2)}\n`)
  write(
    'package-lock.json',
    '{"name":"claude-net","version":"0.1.0","lockfileVersion":3,"packages":{"":{"version":"0.1.0"}}}',
  )
  write('plugin/.claude-plugin/plugin.json', '{"name":"claudenet","version":"0.1.0"}')
  write('CHANGELOG.md', '# Changelog\n\n## Unreleased\n\n- Messages arrive.\n\n## 0.0.9 (2026-01-01)\n\n- Nothing.\n')
  write('.gitignore', 'dist\n*.tgz\n')
  write('test/golden/client-0.0.9.mjs.gz', 'x')
  cpSync('release.ts', join(dir, 'release.ts'))
  const env = {
    PATH: `${dirname(hubNode)}:${process.env.PATH}`,
    HOME: tempDir('home'),
    GIT_CONFIG_GLOBAL: '/dev/null',
    ...Object.fromEntries(
      ['AUTHOR', 'COMMITTER'].flatMap(who => [
        [`GIT_${who}_NAME`, 'x'],
        [`GIT_${who}_EMAIL`, 'x@example.org'],
      ]),
    ),
  }
  const git = (...args: string[]) => execFileSync('git', args, { cwd: dir, env, encoding: 'utf8' }).trim()
  git('init', '--quiet', '--initial-branch', 'main')
  git('add', '.')
  git('commit', '--quiet', '--message', 'start')
  return {
    write,
    git,
    read: (path: string) => readFileSync(join(dir, path), 'utf8'),
    has: (path: string) => existsSync(join(dir, path)),
    golden: () => gunzipSync(readFileSync(join(dir, 'test/golden/client-0.2.0.mjs.gz'))).toString(),
    release(...args: string[]) {
      const { status, stdout, stderr } = spawnSync(hubNode, ['release.ts', ...args], {
        cwd: dir,
        env,
        encoding: 'utf8',
      })
      return { status, said: stdout + stderr }
    },
    start(...args: string[]) {
      return spawn(hubNode, ['release.ts', ...args], { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] })
    },
  }
}

test('a release is a commit and a tag with the version, its notes and its client, and a package; a second one is refused', () => {
  const checkout = startCheckout()
  const { status, said } = checkout.release('0.2.0')
  expect([status, said]).toEqual([
    0,
    expect.stringMatching(/0\.2\.0 is committed and tagged as v0\.2\.0\. Nothing was published\./),
  ])
  expect(checkout.git('status', '--porcelain')).toBe('')
  expect(checkout.git('log', '-1', '--format=%s')).toBe('release: 0.2.0')
  expect(checkout.git('tag', '--list', '--format=%(contents)', 'v0.2.0')).toBe('0.2.0\n\n- Messages arrive.')
  for (const path of ['package.json', 'package-lock.json', 'plugin/.claude-plugin/plugin.json'])
    expect(checkout.read(path)).not.toContain('0.1.0')
  expect(checkout.read('CHANGELOG.md')).toMatch(/^## 0\.2\.0 \(\d{4}-\d\d-\d\d\)$/m)
  expect(checkout.golden()).toBe('client\n')
  expect(checkout.has('claude-net-0.2.0.tgz')).toBe(true)
  expect(checkout.release('0.2.0')).toMatchObject({ status: 1, said: 'release: The tag v0.2.0 exists.\n' })
})

test('a dry run, or a release whose checks fail, leaves the checkout unchanged', () => {
  for (const [check, status, says] of [
    ['true', 0, '0.2.0 can be released. Nothing was committed.'],
    ['false', 1, 'npm run check failed; the checkout is as it was.'],
  ] as const) {
    const checkout = startCheckout({ check })
    const before = checkout.git('rev-parse', 'HEAD')
    expect(checkout.release('0.2.0', ...(check === 'true' ? ['--dry-run'] : []))).toMatchObject({
      status,
      said: expect.stringContaining(says),
    })
    expect(checkout.git('rev-parse', 'HEAD')).toBe(before)
    expect(checkout.git('status', '--porcelain')).toBe('')
    expect(checkout.git('tag')).toBe('')
    expect(checkout.has('claude-net-0.2.0.tgz')).toBe(false)
  }
})

test('a release that is interrupted ends the running command, and leaves the checkout as it was', async () => {
  const checkout = startCheckout({ check: 'echo checking; sleep 600' })
  const release = checkout.start('0.2.0')
  let said = ''
  for (const stream of [release.stdout, release.stderr])
    stream.setEncoding('utf8').on('data', text => {
      said += text
      if (text.split('\n').includes('checking')) release.kill('SIGTERM')
    })
  const [status] = await once(release, 'close')
  expect([status, said]).toEqual([1, expect.stringContaining('npm run check was interrupted by SIGTERM')])
  expect(checkout.git('status', '--porcelain')).toBe('')
  expect(checkout.git('tag')).toBe('')
})

test('a release is refused with uncommitted changes, without notes, and for an invalid, older or released version', () => {
  const checkout = startCheckout()
  expect(checkout.release().said).toMatch(/^release: usage/)
  expect(checkout.release('0.2').said).toMatch(/^release: usage/)
  expect(checkout.release('0.0.8').said).toMatch(/0\.0\.8 is older than 0\.1\.0/)
  expect(checkout.release('0.0.9').said).toMatch(/0\.0\.9 was released/)
  checkout.write('CHANGELOG.md', '# Changelog\n\n## Unreleased\n\n## 0.0.9 (2026-01-01)\n\n- Nothing.\n')
  expect(checkout.release('0.2.0').said).toMatch(/uncommitted changes:\nM CHANGELOG\.md/)
  checkout.git('commit', '--quiet', '--all', '--message', 'no notes')
  expect(checkout.release('0.2.0').said).toMatch(/has nothing under the heading "## Unreleased"/)
})
