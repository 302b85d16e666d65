import type { Command, Option } from 'commander'
import { version } from '../protocol/version.ts'
import { exit } from './output.ts'

/** Options that this many commands share are explained once. */
const sharedBy = 10

const environment: [string, string][] = [
  ['CLAUDE_NET_HOME', "Directory of the machine's side, in place of ~/.claude-net."],
  ['CLAUDE_CONFIG_DIR', "Directory of Claude Code's settings, as Claude Code itself reads it."],
]

const files: [string, string][] = [
  ['~/.claude-net/', 'The client of this machine: its settings, token, outbox and the program itself.'],
  ['/etc/claude-net/hub.json', 'Settings of the hub that runs as a service.'],
  ['/var/lib/claude-net/', 'Its store.'],
]

const statuses: [number, string][] = [
  [exit.done, 'Done.'],
  [exit.refused, 'Refused, or failed.'],
  [exit.usage, 'The command line is wrong.'],
  [exit.unanswered, 'Not all who were asked have answered in time.'],
  [exit.unreachable, 'No hub can be reached now; try again later.'],
  [exit.interrupted, 'Ended by Ctrl-C.'],
]

/** Returns the manual page of `program` (man(7) of groff), made of the help of its commands. */
export function manPage(program: Command): string {
  const commands = flat(program)
  const shared = sharedOptions(commands.map(({ command }) => command))
  const headings = Map.groupBy(commands, ({ heading }) => heading)
  return [
    `.TH CLAUDE\\-NET 1 "" "claude\\-net ${roff(version)}" "Claude Net"`,
    ...section('NAME', `claude\\-net \\- ${roff(program.description().replace(/\.$/, ''))}`),
    ...section('SYNOPSIS', '.B claude\\-net', roff('<command> [options] [arguments]')),
    ...section(
      'DESCRIPTION',
      roff(
        'This page contains the help of every command, which claude-net help <command> and the option --help show as well.',
      ),
    ),
    ...[...headings].flatMap(([heading, each]) => [
      ...section(roff(heading.replace(/:$/, '').toUpperCase())),
      ...each.flatMap(({ command, path }) => commandText(command, path, shared)),
    ]),
    ...section('COMMON OPTIONS', ...shared.flatMap(optionText), ...optionText(helpOf(program))),
    ...section('EXIT STATUS', ...statuses.flatMap(([status, what]) => item(String(status), what))),
    ...section('ENVIRONMENT', ...environment.flatMap(([name, what]) => item(name, what))),
    ...section('FILES', ...files.flatMap(([path, what]) => item(path, what))),
    '',
  ].join('\n')
}

interface Placed {
  command: Command
  /** `webhook add`. */
  path: string
  /** The heading of the help that its command, or the one above it, stands under. */
  heading: string
}

/** Returns the commands that the help shows, each before its subcommands. */
function flat(program: Command, above?: Placed): Placed[] {
  const shown = new Set(program.createHelp().visibleCommands(program))
  return program.commands
    .filter(command => shown.has(command))
    .flatMap(command => {
      const path = above ? `${above.path} ${command.name()}` : command.name()
      const placed = { command, path, heading: above?.heading ?? command.helpGroup() ?? 'Commands:' }
      return [placed, ...flat(command, placed)]
    })
}

/** Returns the options that many commands have in the same words. */
function sharedOptions(commands: Command[]): Option[] {
  const byText = Map.groupBy(commands.flatMap(optionsOf), textOf)
  return [...byText.values()].filter(options => options.length >= sharedBy).map(([option]) => option!)
}

function optionsOf(command: Command): Option[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => long !== '--help')
}

function helpOf(program: Command): Option {
  return program
    .createHelp()
    .visibleOptions(program)
    .find(({ long }) => long === '--help')!
}

function textOf({ flags, description }: Option): string {
  return `${flags} ${description}`
}

function commandText(command: Command, path: string, shared: Option[]): string[] {
  const texts = new Set(shared.map(textOf))
  const [own, common] = [false, true].map(isCommon =>
    optionsOf(command).filter(option => texts.has(textOf(option)) === isCommon),
  ) as [Option[], Option[]]
  const also = common.map(({ long }) => long).join(', ')
  return [
    `.SS ${roff(`claude-net ${path} ${argumentsOf(command)}`.trim())}`,
    roff(sentence(command.description())),
    ...command.registeredArguments
      .filter(({ description }) => description)
      .flatMap(argument => item(argument.name(), argument.description)),
    ...own.flatMap(optionText),
    ...(also ? ['.PP', roff(`Common options: ${also}.`)] : []),
    ...notes(command),
  ]
}

function argumentsOf(command: Command): string {
  const subcommands = command.commands.length > 0 ? ['<command>'] : []
  const args = command.registeredArguments.map(argument => {
    const name = `${argument.name()}${argument.variadic ? '...' : ''}`
    return argument.required ? `<${name}>` : `[${name}]`
  })
  return [...subcommands, ...args].join(' ')
}

/** Returns what the help adds behind the options, as it stands there. */
function notes(command: Command): string[] {
  let shown = ''
  command.configureOutput({ writeOut: text => (shown += text) })
  command.outputHelp()
  const added = shown.slice(command.helpInformation().length).trim()
  return added === '' ? [] : ['.PP', '.EX', ...added.split('\n').map(roff), '.EE']
}

function optionText(option: Option): string[] {
  const choices = option.argChoices ? ` (${option.argChoices.join(', ')})` : ''
  return item(option.flags, `${option.description}${choices}`)
}

function item(name: string, what: string): string[] {
  return ['.TP', `.B ${roff(name)}`, roff(sentence(what))]
}

function section(name: string, ...lines: string[]): string[] {
  return [`.SH ${name}`, ...lines]
}

function sentence(text: string): string {
  return /[.?!]$/.test(text) ? text : `${text[0]!.toUpperCase()}${text.slice(1)}.`
}

/** Returns a line of plain text as roff: nothing in it is a request or an escape, and all of it is ASCII. */
function roff(line: string): string {
  const special: Record<string, string> = {
    '\\': '\\e',
    '-': '\\-',
    "'": '\\(aq',
    '`': '\\(ga',
    '^': '\\(ha',
    '~': '\\(ti',
    '"': '\\(dq',
  }
  const escaped = line.replace(/[\\\-'`^~"]|[^\x20-\x7e]/g, char => {
    return special[char] ?? `\\[u${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`
  })
  return escaped.replace(/^\./, '\\&.')
}
