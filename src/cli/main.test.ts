import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { wholeProgram } from './main.ts'

/** Commands whose standard output is a protocol already; their help says so. */
const protocols = new Set(['mcp', 'hook'])

/** The commands that the help shows, by their path (`webhook add`). */
const commands = new Map<string, Command>()

function collect(above: Command, path: string): void {
  const shown = new Set(above.createHelp().visibleCommands(above))
  for (const command of above.commands.filter(each => shown.has(each))) {
    const own = `${path} ${command.name()}`.trim()
    commands.set(own, command)
    collect(command, own)
  }
}
collect(wholeProgram(), '')

const optionsOf = (command: Command) => command.createHelp().visibleOptions(command)

/** Returns the help of a command as it prints it. */
function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({ writeOut: part => (text += part), getOutHelpWidth: () => 1000 })
  command.outputHelp()
  return text
}

test('every command has a help of its own', () => {
  for (const [path, command] of commands) expect(helpOf(command)).toMatch(new RegExp(`^Usage: claude-net ${path}\\b`))
})

test('every command has --json, except those that speak a protocol and say so', () => {
  // A group without options of its own does nothing but pass on to its subcommands.
  const isGroup = (command: Command) => command.commands.length > 0 && optionsOf(command).length === 1
  const without = [...commands]
    .filter(([, command]) => !isGroup(command) && optionsOf(command).every(({ long }) => long !== '--json'))
    .map(([path]) => path)
  expect(without).toEqual([...protocols])
  for (const path of protocols) expect(helpOf(commands.get(path)!)).toMatch(/JSON.*, so there is no --json\.$/m)
})

test('descriptions of commands, arguments and options begin with a capital letter and end without a full stop', () => {
  const odd = [...commands].flatMap(([path, command]) =>
    [command, ...command.registeredArguments, ...optionsOf(command)]
      .map(({ description }) => (typeof description === 'function' ? command.description() : description))
      .filter(text => !/^[A-Z]/.test(text) || text.endsWith('.'))
      .map(text => `${path}: ${text}`),
  )
  expect(odd).toEqual([])
})
