import { Command } from 'commander'
import { diskTrouble } from '../disk/replace-file.ts'
import { version } from '../protocol/version.ts'
import { exit, fail } from './output.ts'

/** The program, with no commands yet. */
export function newProgram(): Command {
  return (
    new Command('claude-net')
      .description('Durable inboxes between Claude Code machines and people, on your own hub.')
      .version(version, '-V, --version', 'Print the version')
      .configureHelp({ sortSubcommands: false })
      // A text may contain words that are options of the program.
      .enablePositionalOptions()
  )
}

/** Runs the command line of this process, and sets `process.exitCode`. */
export async function run(program: Command): Promise<void> {
  setUp(program)

  // EPIPE: the reader of the output has exited (`| head -1`). The MCP server handles this itself and ends its session first, the
  // demo ends its processes, and a hub runs whether or not its output can be written.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (['mcp', 'hub', 'demo'].includes(process.argv[2] ?? '')) return
      if (error.code === 'EPIPE') process.exit()
      // The output is lost, as on a full disk, so the exit status must not be that of success.
      if (stream === process.stdout)
        process.stderr.write(`claude-net: The output cannot be written: ${diskTrouble(error)}.\n`)
      process.exit(exit.refused)
    })
  }

  let isJson = () => process.argv.includes('--json')
  program.hook('preAction', (_, command) => {
    // From here on the parsed option decides: --json may also be part of a text.
    isJson = () => command.opts().json === true
  })
  try {
    await program.parseAsync()
  } catch (error) {
    process.exitCode = fail(error, isJson())
  }
}

/** Sets what commander does not pass on to commands that were created by themselves. */
export function setUp(command: Command): void {
  const hasHelpCommand = command
    .createHelp()
    .visibleCommands(command)
    .some(each => each.name() === 'help')
  if (hasHelpCommand) command.helpCommand('help [command]', 'Show the help of a command')
  command
    .exitOverride()
    .showHelpAfterError('Add --help to see how it is used.')
    .helpOption('-h, --help', 'Show this help')
  for (const each of command.commands) setUp(each)
}
