import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { activityFields } from '../protocol/activity.ts'
import { checkedOut } from './branch.ts'

function place(): string {
  const dir = mkdtempSync(join(tmpdir(), 'claude-net-branch-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return dir
}

const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd, stdio: 'pipe', encoding: 'utf8' })

test('the branch is that of the repository or worktree around a directory; a detached HEAD is shown as its commit', () => {
  const dir = place()
  const repository = join(dir, 'shop')
  git(dir, 'init', '-q', '-b', 'main', repository)
  // Also before the first commit.
  expect(checkedOut(repository)).toEqual({ branch: 'main' })
  git(repository, 'commit', '-q', '--allow-empty', '-m', 'x')
  git(repository, 'worktree', 'add', '-q', '-b', 'feature/größe', join(dir, 'tree'))
  mkdirSync(join(dir, 'tree', 'a', 'b'), { recursive: true })
  expect(checkedOut(join(dir, 'tree', 'a', 'b'))).toEqual({ branch: 'feature/größe' })
  git(repository, 'checkout', '-q', '--detach')
  expect(checkedOut(repository)).toEqual({ commit: git(repository, 'rev-parse', 'HEAD').slice(0, 7) })
  expect(checkedOut(join(dir, 'tree'))).toEqual({ branch: 'feature/größe' })
})

test('there is no branch outside of a repository or where .git is malformed, and the hub accepts what is read', () => {
  const dir = place()
  expect(checkedOut(dir)).toEqual({})
  expect(checkedOut(join(dir, 'gone'))).toEqual({})
  mkdirSync(join(dir, '.git'))
  expect(checkedOut(dir)).toEqual({})
  const head = (text: string) => {
    writeFileSync(join(dir, '.git', 'HEAD'), text)
    return checkedOut(dir)
  }
  for (const text of ['', 'ref: refs/heads/.invalid\n', 'ref: refs/tags/x\n', 'x'.repeat(5000)]) {
    expect(head(text)).toEqual({})
  }
  for (const name of ['a b', 'x\u202ey', 'a\nb', 'é'.repeat(300)]) {
    const { branch } = head(`ref: refs/heads/${name}\n`)
    if (branch !== undefined) expect(activityFields.branch.safeParse(branch)).toMatchObject({ success: true })
  }
  expect(head('ref: refs/heads/x\u202ey\n')).toEqual({ branch: 'x_y' })
})
