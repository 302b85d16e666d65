import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { findTool } from '../../test/support/newcomer.ts'
import { tempDir } from '../../test/support/temp.ts'
import { completedCommands } from './completed-commands.ts'
import { completionScript } from './completion.ts'
import { wholeProgram } from './main.ts'

const program = wholeProgram()
const all = completedCommands(program)

/** Returns a PATH with a `claude-net` that prints names, and projects. */
function withNames(): string {
  const bin = join(tempDir('completion'), 'bin')
  mkdirSync(bin)
  const script = '#!/bin/sh\n[ "$*" = names ] && echo jaz sean sean/shop | tr " " "\\n" || echo shop\n'
  writeFileSync(join(bin, 'claude-net'), script, { mode: 0o755 })
  return `${bin}:${process.env.PATH}`
}

/** Returns for each line what a shell offers for its last word. One process of the shell takes all lines. */
const shells: Record<string, (lines: string[][]) => string[][]> = {
  bash: lines => {
    const one = (words: string[]) =>
      `COMP_WORDS=(claude-net ${words.map(word => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _claude_net; echo "=\${COMPREPLY[*]}"`
    return split('bash', `${completionScript('bash', program)}\n${lines.map(one).join('\n')}`)
  },
  zsh: lines => {
    const stubs = `compdef() { :; }
_files() { print -rn -- FILES; }
compadd() { shift; print -rn -- "$@"; }
_describe() { local -a all=("\${(@P)@[-1]}"); print -rn -- "\${(@)all%%:*}"; }`
    const one = (words: string[]) =>
      `words=(claude-net ${words.map(word => `'${word}'`).join(' ')}); CURRENT=$#words; print -rn -- =; _claude_net; print`
    // These functions of zsh compare with what is typed already; the stubs do not.
    const offered = split('zsh', `${stubs}\n${completionScript('zsh', program)}\n${lines.map(one).join('\n')}`)
    return offered.map((found, index) =>
      found.filter(word => word === 'FILES' || word.startsWith(lines[index]!.at(-1)!)),
    )
  },
  fish: lines => {
    const one = (words: string[]) =>
      `echo "= "(string join -- ' ' (complete -C "claude-net ${words.join(' ')}" | string replace -r '\\t.*' '') '')`
    return split('fish', `${completionScript('fish', program)}\n${lines.map(one).join('\n')}`)
  },
}

function split(shell: string, script: string): string[][] {
  const home = tempDir('home')
  const file = join(home, 'script')
  writeFileSync(file, script)
  const { stdout, stderr } = spawnSync(shell, [...(shell === 'zsh' ? ['-f'] : []), file], {
    encoding: 'utf8',
    cwd: home,
    env: { PATH: withNames(), HOME: home, TERM: 'dumb' },
  })
  expect(stderr).toBe('')
  return stdout
    .split('\n')
    .filter(line => line.startsWith('='))
    .map(line => line.slice(1).split(' ').filter(Boolean).sort())
}

function requireShell(shell: string, context: TestContext): void {
  if (!findTool(shell)) context.skip(`${shell} is not installed here`)
}

test.for(Object.keys(shells))(
  '%s completes commands, subcommands, options, their values and names',
  (shell, context) => {
    requireShell(shell, context)
    const cases: [line: string[], offered: string[]][] = [
      [['mach'], ['machines']],
      [
        ['webhook', 'de'],
        ['dead', 'delete'],
      ],
      [['send', '--re'], ['--reply-to']],
      [['webhook', 'out', '--bo'], ['--body']],
      [
        ['send', '--intent', ''],
        ['inform', 'request', 'urgent'],
      ],
      [
        ['completion', ''],
        ['bash', 'fish', 'zsh'],
      ],
      [
        ['send', 'se'],
        ['sean', 'sean/shop'],
      ],
      [['send', 'sean/'], ['sean/shop']],
      [['send', '--intent', 'urgent', 'j'], ['jaz']],
      [['send', '--json', '--at', '9:00', 'j'], ['jaz']],
      [['history', '--with', 'j'], ['jaz']],
      [['inbox', '--project', 's'], ['shop']],
      [['telegram', 'confirm', 'j'], ['jaz']],
      [
        ['group', 'backend', 'jaz', 'sean', 's'],
        ['sean', 'sean/shop'],
      ],
      [['policy', '--mute', 'j'], ['jaz']],
      [['inst'], ['install-relay', 'install-service']],
      [['copy-st'], []],
    ]
    const offered = shells[shell]!(cases.map(([line]) => line))
    expect(cases.map(([line], index) => [line, offered[index]])).toEqual(cases)
  },
)

test.for(Object.keys(shells))('%s completes every command with all of its options', (shell, context) => {
  requireShell(shell, context)
  const offered = shells[shell]!(all.map(({ path }) => [...path.split(' ').filter(Boolean), '--']))
  const expected = all.map(({ path, options }) => [path, options.map(({ long }) => long).sort()])
  expect(all.map(({ path }, index) => [path, offered[index]])).toEqual(expected)
})
