import { spawnSync } from 'node:child_process'
import type { Command } from 'commander'
import { beforeAll, expect, test } from 'vitest'
import { findTool } from '../../test/support/newcomer.ts'
import { wholeProgram } from './main.ts'
import { manPage } from './man-page.ts'

let page = ''
beforeAll(() => {
  page = manPage(wholeProgram())
})

/** The page as a terminal shows it, on one line a paragraph. */
function plain(): string {
  return page.replaceAll('\\-', '-').replaceAll('\\(aq', "'").replaceAll('\\(dq', '"').replaceAll('\\(ti', '~')
}

test('the manual page has every command, argument and option that the help shows, and none that it hides', () => {
  const sections = new Map(
    plain()
      .split(/^\.S[SH] /m)
      .map(text => [text.split('\n', 1)[0]!, text]),
  )
  const missing: string[] = []
  const check = (command: Command, path: string) => {
    const help = command.createHelp()
    const [, text = ''] = [...sections].find(([title]) => title.replace(/ [<[].*/, '') === `claude-net ${path}`) ?? []
    if (text === '') missing.push(path)
    for (const { long } of help.visibleOptions(command))
      if (long !== '--help' && !text.includes(long!)) missing.push(`${path} ${long}`)
    for (const argument of command.registeredArguments)
      if (!text.includes(argument.name())) missing.push(`${path} ${argument.name()}`)
    for (const below of command.commands) check(below, `${path} ${below.name()}`)
  }
  const program = wholeProgram()
  const shown = program.createHelp().visibleCommands(program)
  for (const command of program.commands.filter(command => shown.includes(command))) check(command, command.name())
  expect(missing).toEqual([])
  const common = sections.get('COMMON OPTIONS')!
  for (const long of ['--data', '--hub', '--token-file', '--json', '--help'])
    expect(common).toContain(`.B ${long.slice(0, 2)}`)
  for (const hidden of ['copy-store', '--until-eof']) expect(plain()).not.toContain(hidden)
})

test('it is ASCII, and groff renders it without a warning', context => {
  expect(page).toMatch(/^[\x20-\x7e\n]+$/)
  if (!findTool('groff')) context.skip('groff is not installed here')
  const { stdout, stderr } = spawnSync('groff', ['-ww', '-man', '-Tutf8', '-P-cbou', '-rLL=100n'], {
    input: page,
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^NAME\n +claude-net - Durable inboxes/m)
  expect(stdout).toMatch(/^ +claude-net send <to> <text\.\.\.>\n +Send a message\.\n/m)
  expect(stdout).toMatch(/^EXIT STATUS\n +0 +Done\.\n/m)
})
