import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, test } from 'vitest'
import { tempDir } from '../../../test/support/temp.ts'
import { clashText, findProject, type Places, type ProjectSettings } from './find-project.ts'
import { knownProjects } from './known-projects.ts'
import { numbered, projectNameOf } from './project-name.ts'

let user: string
let home: string
let places: Places
let settings: ProjectSettings

beforeEach(() => {
  user = realpathSync(tempDir('user'))
  home = join(user, '.claude-net')
  mkdirSync(home)
  places = { userHome: user, temporary: [dirname(user)] }
  settings = {}
})

const find = (dir: string) => findProject(dir, home, settings, places)
const nameIn = (dir: string) => find(dir).name
const inUser = (...names: string[]) => join(user, ...names)

function git(dir: string, ...args: string[]): void {
  const env = {
    PATH: process.env.PATH,
    HOME: user,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'x',
    GIT_AUTHOR_EMAIL: 'x@x',
    GIT_COMMITTER_NAME: 'x',
    GIT_COMMITTER_EMAIL: 'x@x',
  }
  execFileSync('git', ['-c', 'protocol.file.allow=always', ...args], { cwd: dir, env, stdio: 'ignore' })
}

/** Makes a repository with one commit. */
function repository(...names: string[]): string {
  const dir = inUser(...names)
  mkdirSync(dir, { recursive: true })
  git(dir, 'init')
  git(dir, 'commit', '--allow-empty', '-m', 'first')
  return dir
}

/** Creates a directory with the parts of `.git` by which a repository is recognized. */
function fakeRepository(...names: string[]): string {
  const dir = inUser(...names)
  mkdirSync(join(dir, '.git'), { recursive: true })
  writeFileSync(join(dir, '.git', 'HEAD'), 'ref: refs/heads/main\n')
  return dir
}

function propose(dir: string, text: string): void {
  writeFileSync(join(dir, '.claude-net.json'), text)
}

describe('a project from a git repository', () => {
  test('a session belongs to the directory of the main worktree, from any worktree and subdirectory', () => {
    const shop = repository('code', 'Web Shop')
    git(shop, 'worktree', 'add', '../feature-x')
    git(shop, 'worktree', 'add', '.claude/worktrees/try')
    mkdirSync(join(shop, 'src', 'deep'), { recursive: true })
    mkdirSync(inUser('code', 'feature-x', 'src'))
    for (const dir of [
      shop,
      join(shop, 'src', 'deep'),
      join(shop, '.git', 'hooks'),
      inUser('code', 'feature-x'),
      inUser('code', 'feature-x', 'src'),
      join(shop, '.claude', 'worktrees', 'try'),
    ])
      expect([dir, nameIn(dir)]).toEqual([dir, 'web-shop'])
    expect([...knownProjects(home)]).toEqual([['web-shop', shop]])
  })

  test('a worktree with relative paths, and one whose repository is not on this machine, have their project', () => {
    const shop = repository('shop')
    git(shop, 'worktree', 'add', '../wt')
    writeFileSync(inUser('wt', '.git'), 'gitdir: ../shop/.git/worktrees/wt\n')
    expect(nameIn(inUser('wt'))).toBe('shop')
    writeFileSync(inUser('wt', '.git'), 'gitdir: /home/else/billing/.git/worktrees/wt\n')
    expect(nameIn(inUser('wt'))).toBe('billing')
  })

  test('the worktrees of a bare repository belong to its directory, or to the parent of a hidden one', () => {
    const shop = repository('shop')
    git(user, 'clone', '--bare', shop, 'billing.git')
    git(inUser('billing.git'), 'worktree', 'add', '../bill-main')
    expect(nameIn(inUser('bill-main'))).toBe('billing')
    expect(nameIn(inUser('billing.git'))).toBe('billing')
    mkdirSync(inUser('site'))
    git(user, 'clone', '--bare', shop, 'site/.bare')
    git(inUser('site', '.bare'), 'worktree', 'add', '../main')
    expect(nameIn(inUser('site', 'main'))).toBe('site')
  })

  test('a submodule is a repository of its own, and the same one in every worktree of its parent', () => {
    const lib = repository('lib')
    const shop = repository('shop')
    git(shop, 'submodule', 'add', lib, 'vendor/tools')
    git(shop, 'commit', '-m', 'tools')
    git(shop, 'worktree', 'add', '../wt')
    git(inUser('wt'), 'submodule', 'update', '--init')
    expect(nameIn(join(shop, 'vendor', 'tools'))).toBe('tools')
    expect(nameIn(inUser('wt', 'vendor', 'tools'))).toBe('tools')
    git(join(shop, 'vendor', 'tools'), 'worktree', 'add', inUser('tools-wt'))
    expect(nameIn(inUser('tools-wt'))).toBe('tools')
    expect(nameIn(inUser('wt'))).toBe('shop')
  })

  test('a repository whose directory is elsewhere is named after its worktree', () => {
    for (const name of ['shop', 'gits']) mkdirSync(inUser(name))
    git(inUser('shop'), 'init', '--separate-git-dir', inUser('gits', 'odd.git'))
    expect(nameIn(inUser('shop'))).toBe('shop')
  })

  test('the home, /, temporary directories and names without letters or digits are no project', () => {
    fakeRepository()
    const deep = inUser('notes')
    mkdirSync(deep)
    expect(find(user)).toEqual({})
    expect(find(deep)).toEqual({})
    expect(find('/')).toEqual({})
    fakeRepository('日本')
    expect(find(inUser('日本'))).toEqual({})
    const elsewhere = realpathSync(tempDir('shop'))
    git(elsewhere, 'init')
    expect(find(elsewhere)).toEqual({})
    places = { userHome: user, temporary: [join(user, 'tmp')] }
    expect(nameIn(elsewhere)).toMatch(/shop/)
    fakeRepository('tmp', 'shop')
    expect(find(inUser('tmp', 'shop'))).toEqual({})
  })

  test('a directory without a repository, with an empty .git or with one that is not a file is no project', () => {
    mkdirSync(inUser('notes', '.git'), { recursive: true })
    expect(find(inUser('notes'))).toEqual({})
    mkdirSync(inUser('odd'))
    symlinkSync('/dev/zero', inUser('odd', '.git'))
    expect(find(inUser('odd'))).toEqual({})
    expect(find(inUser('gone'))).toEqual({})
  })

  test('a directory whose .git names the repository of another does not belong to its project', () => {
    const shop = repository('shop')
    git(shop, 'worktree', 'add', '../wt')
    expect(nameIn(shop)).toBe('shop')
    const evil = inUser('evil')
    mkdirSync(evil)
    for (const gitDir of ['worktrees/wt', 'worktrees/unknown']) {
      writeFileSync(join(evil, '.git'), `gitdir: ${shop}/.git/${gitDir}\n`)
      expect([gitDir, find(evil)]).toEqual([gitDir, {}])
    }
    writeFileSync(join(evil, '.git'), `gitdir: ${shop}/.git\n`)
    expect(nameIn(evil)).toBe('evil')
    rmSync(join(evil, '.git'))
    symlinkSync(join(shop, '.git'), join(evil, '.git'))
    expect(nameIn(evil)).toBe('evil')
    expect(nameIn(shop)).toBe('shop')
    // A worktree that was moved without `git worktree repair`.
    renameSync(inUser('wt'), inUser('moved'))
    expect(nameIn(inUser('moved'))).toBe('shop')
  })

  test('a link to a repository, and a path through one, are that repository', () => {
    const shop = fakeRepository('shop')
    mkdirSync(join(shop, 'src'))
    symlinkSync(shop, inUser('link'))
    expect(nameIn(inUser('link', 'src'))).toBe('shop')
    expect([...knownProjects(home).values()]).toEqual([shop])
  })
})

describe('a project from config.json', () => {
  test('a directory has the name that config.json gives it, with everything below it and in every worktree', () => {
    const mono = repository('mono')
    git(mono, 'worktree', 'add', '../wt')
    mkdirSync(inUser('wt', 'billing', 'src'), { recursive: true })
    mkdirSync(join(mono, 'billing'))
    settings = { projects: { [mono]: 'Main Repo', [join(mono, 'billing')]: 'billing', [inUser('notes')]: 'notes' } }
    expect(nameIn(mono)).toBe('main-repo')
    expect(nameIn(join(mono, 'billing'))).toBe('billing')
    expect(nameIn(inUser('wt'))).toBe('main-repo')
    expect(nameIn(inUser('wt', 'billing', 'src'))).toBe('billing')
    mkdirSync(inUser('notes', 'today'), { recursive: true })
    expect(nameIn(inUser('notes', 'today'))).toBe('notes')
    expect(nameIn(inUser('notes-else'))).toBe(undefined)
  })

  test('an entry applies to the home and temporary directories too, may remove a project, and two directories may share a name', () => {
    const shop = fakeRepository('shop')
    const copy = fakeRepository('copy')
    settings = { projects: { [user]: 'all-of-it', [shop]: '', [copy]: 'web', [inUser('third')]: 'web' } }
    expect(nameIn(user)).toBe('all-of-it')
    expect(nameIn(shop)).toBe(undefined)
    expect(nameIn(copy)).toBe('web')
    expect(nameIn(fakeRepository('third'))).toBe('web')
  })

  test('a name in config.json is used for no other directory', () => {
    settings = { projects: { [inUser('shop')]: 'billing' } }
    const billing = fakeRepository('billing')
    expect(find(billing)).toMatchObject({ name: 'billing-2', clash: { wanted: 'billing', other: inUser('shop') } })
  })

  test('a machine that does not share its projects has none', () => {
    settings = { shareProjects: false, projects: { [inUser('shop')]: 'shop' } }
    expect(find(fakeRepository('shop'))).toEqual({})
    expect([...knownProjects(home)]).toEqual([])
  })
})

describe('two directories with the same name', () => {
  test('the second gets a number and keeps it, until config.json says otherwise', () => {
    const first = fakeRepository('a', 'shop')
    const second = fakeRepository('b', 'shop')
    const third = fakeRepository('c', 'shop')
    expect(find(first)).toMatchObject({ name: 'shop' })
    const found = find(second)
    expect(found).toMatchObject({ name: 'shop-2', clash: { wanted: 'shop', place: second, other: first } })
    expect(clashText('shop-2', found.clash!)).toContain(`"projects": {"${second}": "NAME"}`)
    expect(nameIn(third)).toBe('shop-3')
    rmSync(second, { recursive: true })
    expect(nameIn(third)).toBe('shop-3')
    rmSync(first, { recursive: true })
    expect(find(third)).toMatchObject({ name: 'shop-3' })
    settings = { projects: { [third]: 'shop' } }
    expect(nameIn(third)).toBe('shop')
  })

  test('a directory that was moved keeps its name, and one that was renamed frees it', () => {
    const shop = fakeRepository('shop')
    expect(nameIn(shop)).toBe('shop')
    mkdirSync(inUser('work'))
    renameSync(shop, inUser('work', 'shop'))
    expect(find(inUser('work', 'shop'))).toMatchObject({ name: 'shop' })
    renameSync(inUser('work', 'shop'), inUser('webshop'))
    expect(nameIn(inUser('webshop'))).toBe('webshop')
    expect(find(fakeRepository('shop'))).toMatchObject({ name: 'shop' })
  })

  test('a file of the repository proposes a name, which is not used if another directory of the machine has it', () => {
    const shop = fakeRepository('shop')
    const evil = fakeRepository('evil')
    propose(shop, '{"project": "Web Shop"}')
    propose(evil, '{"project": "web-shop"}')
    expect(nameIn(shop)).toBe('web-shop')
    expect(find(evil)).toMatchObject({ name: 'evil', clash: { wanted: 'web-shop', other: shop } })
    settings = { projects: { [inUser('else')]: 'billing' } }
    propose(evil, '{"project": "billing"}')
    expect(find(evil)).toMatchObject({ name: 'evil', clash: { wanted: 'billing', other: inUser('else') } })
    propose(evil, '{"project": "good"}')
    expect(nameIn(evil)).toBe('good')
    expect(nameIn(shop)).toBe('web-shop')
  })

  test('with an invalid file the directory keeps its own name', () => {
    const shop = fakeRepository('shop')
    for (const text of ['', 'null', '[]', '{"project": 7}', '{"project": "日本"}', 'x'.repeat(100_000)]) {
      propose(shop, text)
      expect([text.slice(0, 20), nameIn(shop)]).toEqual([text.slice(0, 20), 'shop'])
    }
    rmSync(join(shop, '.claude-net.json'))
    symlinkSync('/dev/zero', join(shop, '.claude-net.json'))
    expect(nameIn(shop)).toBe('shop')
  })

  test('a directory called shop-2 may get the name shop from its file', () => {
    const dir = fakeRepository('shop-2')
    expect(nameIn(dir)).toBe('shop-2')
    propose(dir, '{"project": "shop"}')
    expect(nameIn(dir)).toBe('shop')
  })
})

describe('the stored projects', () => {
  test('a project is found even if their file is malformed or cannot be written', () => {
    const shop = fakeRepository('shop')
    writeFileSync(join(home, 'projects.json'), '{"projects": ["half')
    expect(nameIn(shop)).toBe('shop')
    expect(JSON.parse(readFileSync(join(home, 'projects.json'), 'utf8'))).toEqual({ projects: { shop } })
    rmSync(home, { recursive: true })
    expect(nameIn(shop)).toBe('shop')
  })

  test('each directory has its own name when several sessions start at once', async () => {
    const dirs = ['a', 'b', 'c', 'd', 'e'].map(name => fakeRepository(name, 'shop'))
    const module = new URL('find-project.ts', import.meta.url).href
    const names = await Promise.all(
      [...dirs, ...dirs].map(async dir => {
        const call = JSON.stringify([dir, home, {}, places]).slice(1, -1)
        const script = `import { findProject } from '${module}'; process.stdout.write(findProject(${call}).name)`
        const args = ['--input-type=module', '--no-warnings', '-e', script]
        return { dir, name: (await promisify(execFile)(process.execPath, args)).stdout }
      }),
    )
    const byDir = new Map(dirs.map(dir => [dir, new Set(names.flatMap(each => (each.dir === dir ? [each.name] : [])))]))
    expect([...byDir.values()].flatMap(set => [...set]).sort()).toEqual([
      'shop',
      'shop-2',
      'shop-3',
      'shop-4',
      'shop-5',
    ])
    expect(new Set(knownProjects(home).values())).toEqual(new Set(dirs))
  })

  test('a stale lock is removed', () => {
    writeFileSync(join(home, 'projects.json.lock'), 'gone')
    execFileSync('touch', ['-d', '1 minute ago', join(home, 'projects.json.lock')])
    expect(nameIn(fakeRepository('shop'))).toBe('shop')
    expect([...knownProjects(home).keys()]).toEqual(['shop'])
  })

  test('there are at most 500, and those of deleted repositories are removed first', () => {
    const names = Array.from({ length: 500 }, (_, n) => `p${n}`)
    const projects = Object.fromEntries(names.map(name => [name, inUser('many', name)]))
    writeFileSync(join(home, 'projects.json'), JSON.stringify({ projects }))
    fakeRepository('many', 'p0')
    expect(nameIn(fakeRepository('shop'))).toBe('shop')
    expect([...knownProjects(home).keys()]).toEqual(['p0', 'shop'])
  })
})

test('a name has lowercase letters, digits and -, and at most 64 characters', () => {
  expect(projectNameOf('  Café_Été.v2  ')).toBe('cafe-ete-v2')
  expect(projectNameOf('---')).toBe(undefined)
  expect(projectNameOf('')).toBe(undefined)
  expect(projectNameOf(`${'a'.repeat(63)}-b`)).toBe('a'.repeat(63))
  expect(numbered('a'.repeat(64), 12)).toBe(`${'a'.repeat(61)}-12`)
})
