import { execFileSync } from 'node:child_process'
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { hookSettings, userHookSettings } from './hooks.ts'
import { editJson, readJson, whyNotEditable } from './json-file.ts'
import { type ClaudeFiles, plannedChanges, register, unregister } from './settings.ts'

let home: string
let files: ClaudeFiles
let launcher: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'foreign-'))
  onTestFinished(() => rmSync(home, { recursive: true }))
  files = { state: join(home, '.claude.json'), settings: join(home, '.claude', 'settings.json') }
  launcher = join(home, '.claude-net', 'bin', 'claude-net')
  mkdirSync(join(home, '.claude'))
})

const settingsText = () => readFileSync(files.settings, 'utf8')
const setModel = (json: Record<string, unknown>) => {
  json.model = 'opus'
}

describe('a file of another program that is rewritten', () => {
  test.each([
    [
      'a byte order mark and Windows line ends',
      '\ufeff{\r\n  "a": 1\r\n}\r\n',
      '\ufeff{\r\n  "a": 1,\r\n  "model": "opus"\r\n}\r\n',
    ],
    ['tabs', '{\n\t"a": 1\n}\n', '{\n\t"a": 1,\n\t"model": "opus"\n}\n'],
    ['nothing', '', '{\n  "model": "opus"\n}\n'],
    ['blanks', ' \n', '{\n  "model": "opus"\n}\n'],
    ['null', 'null', '{\n  "model": "opus"\n}\n'],
  ])('keeps %s', (_, before, after) => {
    writeFileSync(files.settings, before)
    expect(editJson(files.settings, setModel)).toBe(`${files.settings}.before-claude-net`)
    expect(settingsText()).toBe(after)
    expect(readFileSync(`${files.settings}.before-claude-net`, 'utf8')).toBe(before)
  })

  test('is written at the target of a symbolic link, even if the target does not exist yet', () => {
    const target = join(home, 'dotfiles', 'later', 'settings.json')
    symlinkSync(join(home, 'dotfiles', 'first'), files.settings)
    mkdirSync(join(home, 'dotfiles'))
    symlinkSync('later/settings.json', join(home, 'dotfiles', 'first'))
    editJson(files.settings, setModel)
    expect(readJson(target)).toEqual({ model: 'opus' })
    expect(lstatSync(files.settings).isSymbolicLink()).toBe(true)
  })

  test('keeps its other hard links', () => {
    writeFileSync(files.settings, '{}')
    const other = join(home, 'other-name.json')
    linkSync(files.settings, other)
    editJson(files.settings, setModel)
    expect(readJson(other)).toEqual({ model: 'opus' })
    expect(statSync(other).ino).toBe(statSync(files.settings).ino)
  })

  test.each([
    ['links in a circle', () => symlinkSync(files.settings, files.settings), /cannot be read \(ELOOP\)/],
    ['a directory', () => mkdirSync(files.settings), /cannot be read \(EISDIR\)/],
    ['comments', () => writeFileSync(files.settings, '{\n // mine\n "a": 1\n}'), /is not a JSON object/],
    ['a key twice', () => writeFileSync(files.settings, '{"a":{"b":1,"c":":"},"hooks":{},"a":{}}'), /has "a" twice/],
    ['a list', () => writeFileSync(files.settings, '[]'), /is not a JSON object/],
  ])('is left alone when it is %s', (_, make, words) => {
    make()
    expect(() => editJson(files.settings, setModel)).toThrow(words)
  })

  test('a key that occurs in two different objects is not a duplicate', () => {
    writeFileSync(files.settings, '{"a":{"a":1},"b":[{"a":1},{"a":2}],"c":"a\\":"}')
    expect(readJson(files.settings)).toMatchObject({ c: 'a":' })
  })
})

describe('a file that cannot be replaced', () => {
  /** Runs the edit in a mount namespace of its own, after `mounts`. */
  function editBehind(mounts: string, context: { skip: (why: string) => void }) {
    const script = `import { editJson, whyNotEditable } from ${JSON.stringify(join(import.meta.dirname, 'json-file.ts'))}
      const path = process.argv[1]
      const before = whyNotEditable(path)
      let error
      try { editJson(path, json => { json.model = 'opus' }) } catch (thrown) { error = thrown.message }
      process.stdout.write(JSON.stringify({ before, error }))`
    const node = [process.execPath, '--input-type=module', '-e', script, files.settings]
    try {
      const out = execFileSync('unshare', ['-rm', 'sh', '-ec', `${mounts}\nexec "$@"`, 'sh', ...node], {
        env: { ...process.env, FILE: files.settings, DIR: join(home, '.claude') },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      return JSON.parse(out.toString()) as { before?: string; error?: string }
    } catch (error) {
      return context.skip(`no mount namespace can be made here: ${(error as Error).message}`)
    }
  }

  test('because it is a mount point is written in place', context => {
    writeFileSync(files.settings, '{"a": 1}')
    expect(editBehind('mount --bind "$FILE" "$FILE"', context)).toEqual({})
    expect(readJson(files.settings)).toEqual({ a: 1, model: 'opus' })
  })

  test('because its directory is read-only is written in place', context => {
    writeFileSync(files.settings, '{"a": 1}')
    const mounts =
      'mount --bind "$DIR" "$DIR"; mount -o remount,ro,bind "$DIR"; mount --bind "$FILE" "$FILE"; mount -o remount,rw,bind "$FILE"'
    expect(editBehind(mounts, context)).toEqual({})
    expect(readJson(files.settings)).toEqual({ a: 1, model: 'opus' })
    expect(existsSync(`${files.settings}.before-claude-net`)).toBe(false)
  })

  test('nor written in place is reported in advance and left as it was', context => {
    writeFileSync(files.settings, '{"a": 1}')
    const mounts = 'mount --bind "$DIR" "$DIR"; mount -o remount,ro,bind "$DIR"'
    const { before, error } = editBehind(mounts, context) as { before?: string; error?: string }
    expect([before, error]).toEqual(['EROFS', `${files.settings} cannot be written (EROFS).`])
    expect(settingsText()).toBe('{"a": 1}')
  })
})

describe('settings of another shape', () => {
  test.each([
    ['hooks', { hooks: [{ event: 'Stop' }] }, 'has a list as "hooks", where Claude Code takes an object'],
    ['an event', { hooks: { Stop: { hooks: [] } } }, 'has an object as "hooks.Stop", where Claude Code takes a list'],
    ['the allow rules', { permissions: { allow: 'Bash(ls)' } }, 'has a string as "permissions.allow"'],
    ['the deny rules', { permissions: { deny: 'Read(.env)' } }, 'has a string as "permissions.deny"'],
    ['permissions', { permissions: ['Bash(ls)'] }, 'has a list as "permissions"'],
  ])('in %s are refused by name, and nothing is written', (_, settings, words) => {
    const text = JSON.stringify(settings)
    writeFileSync(files.settings, text)
    expect(() => plannedChanges(files, launcher)).toThrow(words)
    expect(() => register(files, launcher)).toThrow(words)
    expect([settingsText(), existsSync(files.state)]).toEqual([text, false])
  })

  test('that are null, or that Claude Code only ignores, are accepted', () => {
    const flat = { type: 'command', command: 'echo flat' }
    writeFileSync(files.settings, JSON.stringify({ permissions: null, hooks: { Stop: [flat], SessionStart: null } }))
    register(files, launcher)
    expect(readJson(files.settings)).toMatchObject({ hooks: { Stop: [flat, ...userHookSettings(launcher).Stop!] } })
    expect(plannedChanges(files, launcher)).toEqual([])
  })
})

test('a file that cannot be written is reported for editing by hand, and the other file is written', () => {
  // Not even root can create a file there.
  symlinkSync('/proc/self/nothing/settings.json', files.settings)
  expect(whyNotEditable(files.settings)).toBeDefined()
  const { backups, byHand } = register(files, launcher)
  expect(backups).toEqual([])
  expect(byHand).toEqual([
    {
      file: files.settings,
      why: expect.stringMatching(/settings\.json cannot be written \(E\w+\)/),
      add: { permissions: { allow: ['mcp__claude-net'] }, hooks: userHookSettings(launcher) },
    },
  ])
  expect(readJson(files.state)).toHaveProperty('mcpServers.claude-net.command', launcher)
  expect(plannedChanges(files, launcher)).toMatchObject([{ why: expect.any(String) }, { why: expect.any(String) }])
  expect(unregister(files)).toEqual({ hadAny: true, notWritten: [] })
})

describe('the hooks in the settings of a user', () => {
  const firstHook = (userHome: string) => {
    const { command, args } = userHookSettings(launcher, home).Stop![0]!.hooks[0]!
    return execFileSync(command, args, {
      env: { PATH: process.env.PATH, HOME: userHome },
      stdio: ['ignore', 'pipe', 'inherit'],
    }).toString()
  }

  test('start the client of the home to which the settings were copied, and do nothing if it has none', () => {
    const elsewhere = join(home, "O'Brien $HOME")
    const bin = join(elsewhere, '.claude-net', 'bin')
    mkdirSync(bin, { recursive: true })
    expect(firstHook(elsewhere)).toBe('')
    writeFileSync(join(bin, 'claude-net'), '#!/bin/sh\necho "$0 $*"\n', { mode: 0o755 })
    expect(firstHook(elsewhere)).toBe(`${join(bin, 'claude-net')} hook\n`)
    expect(firstHook(home)).toBe('')
  })

  test('keep the path of a client outside of the home', () => {
    const { args } = userHookSettings("/srv/it's here/bin/claude-net", home).Stop![0]!.hooks[0]!
    expect(args[1]).toContain(`[ -x '/srv/it'\\''s here/bin/claude-net' ]`)
  })

  test('replace those of an earlier version, and are removed by leave', () => {
    writeFileSync(files.settings, JSON.stringify({ hooks: hookSettings(launcher) }))
    register(files, launcher)
    expect(readJson(files.settings).hooks).toEqual(userHookSettings(launcher))
    unregister(files)
    expect(readJson(files.settings)).toEqual({ permissions: { allow: [] } })
  })
})
