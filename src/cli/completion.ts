import { Argument, Command, type Option } from 'commander'
import { print } from './output.ts'

const shells = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof shells)[number]

const help = `
Load it in the shell that runs, or in each new one from its start file:
  bash   source <(claude-net completion bash)
  zsh    source <(claude-net completion zsh)
  fish   claude-net completion fish | source`

/** Prints a script that completes the commands and options of `program`. */
export function completionCommand(program: Command): Command {
  return new Command('completion')
    .description('print a script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells))
    .option('--json', 'print JSON')
    .addHelpText('after', help)
    .action((shell: Shell, options: { json?: boolean }) => {
      const script = scripts[shell](commandsOf(program))
      print(options, { shell, script }, () => script)
    })
}

interface Completed {
  name: string
  what: string
  options: { long: string; what: string; takesValue: boolean }[]
}

function commandsOf(program: Command): Completed[] {
  const isShown = new Set(program.createHelp().visibleCommands(program))
  return program.commands
    .filter(command => isShown.has(command))
    .map(command => ({
      name: command.name(),
      what: command.description(),
      options: command.options.filter(({ hidden, long }) => !hidden && long).map(toCompleted),
    }))
}

function toCompleted({ long, description, required, optional }: Option): Completed['options'][number] {
  return { long: long!, what: description, takesValue: required || optional }
}

const scripts: Record<Shell, (commands: Completed[]) => string> = {
  bash: commands => {
    const cases = commands.map(({ name, options }) => `    ${name}) words=${quoted(longs(options))} ;;`)
    return `# Completes claude-net in bash.
_claude_net() {
  local words
  COMPREPLY=()
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words=${quoted(commands.map(({ name }) => name).join(' '))}
  elif [[ "\${COMP_WORDS[COMP_CWORD]}" != -* ]]; then return; fi
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _claude_net claude-net`
  },

  zsh: commands => {
    const list = commands.map(({ name, what }) => `    ${quoted(`${name}:${what}`)}`)
    const cases = commands.map(({ name, options }) => {
      const specs = options.map(({ long, what, takesValue }) =>
        quoted(`${long}[${what.replace(/[[\]]/g, '')}]${takesValue ? ':value:_files' : ''}`),
      )
      return `    ${name}) _arguments ${[...specs, quoted('*:argument:_files')].join(' ')} ;;`
    })
    return `#compdef claude-net
# Completes claude-net in zsh.
_claude_net() {
  local -a commands
  commands=(
${list.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[2] in
${cases.join('\n')}
  esac
}
compdef _claude_net claude-net`
  },

  fish: commands =>
    [
      '# Completes claude-net in fish.',
      ...commands.flatMap(({ name, what, options }) => [
        `complete -c claude-net -n __fish_use_subcommand -f -a ${name} -d ${quoted(what)}`,
        ...options.map(
          ({ long, what, takesValue }) =>
            `complete -c claude-net -n ${quoted(`__fish_seen_subcommand_from ${name}`)} -l ${long.slice(2)}${takesValue ? ' -r' : ''} -d ${quoted(what)}`,
        ),
      ]),
    ].join('\n'),
}

function longs(options: Completed['options']): string {
  return [...options.map(({ long }) => long), '--help'].join(' ')
}

/** As one word of any of the three shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
