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

/** What prints the words for a value: `claude-net names …`. Values of others are files, or anything. */
type Words = 'names' | 'names --projects'

/** Commands whose first argument is whom to write to, and options that take a name. */
const toMembers: ReadonlySet<string> = new Set(['send', 'ask'])
const valuesOf: Record<string, Words> = { '--with': 'names', '--project': 'names --projects' }

interface Completed {
  name: string
  what: string
  options: { long: string; what: string; takesValue: boolean; words?: Words | undefined }[]
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
  const takesValue = required || optional
  return { long: long!, what: description, takesValue, words: takesValue ? valuesOf[long!] : undefined }
}

const scripts: Record<Shell, (commands: Completed[]) => string> = {
  bash: commands => {
    const cases = commands.map(({ name, options }) => `    ${name}) words=${quoted(longs(options))} ;;`)
    return `# Completes claude-net in bash.
_claude_net() {
  local words previous=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words=${quoted(commands.map(({ name }) => name).join(' '))}
${bashNames(commands)}
  elif [[ "\${COMP_WORDS[COMP_CWORD]}" != -* ]]; then return; fi
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _claude_net claude-net`
  },

  zsh: commands => {
    const list = commands.map(({ name, what }) => `    ${quoted(`${name}:${what}`)}`)
    const cases = commands.map(({ name, options }) => {
      const specs = options.map(({ long, what, takesValue, words }) =>
        quoted(`${long}[${what.replace(/[[\]]/g, '')}]${takesValue ? `:value:${zshWords(words)}` : ''}`),
      )
      const whom = toMembers.has(name) ? [quoted(`2:to:${zshWords('names')}`)] : []
      return `    ${name}) _arguments ${[...specs, ...whom, quoted('*:argument:_files')].join(' ')} ;;`
    })
    return `#compdef claude-net
# Completes claude-net in zsh.
_claude_net_names() { compadd -- \${(f)"$(claude-net "$@" 2>/dev/null)"}; }
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
        ...(toMembers.has(name) ? [`${fishFor(name)} -f -a ${fishWords('names')}`] : []),
        ...options.map(
          ({ long, what, takesValue, words }) =>
            `${fishFor(name)} -l ${long.slice(2)}${takesValue ? ' -r' : ''}${words ? ` -f -a ${fishWords(words)}` : ''} -d ${quoted(what)}`,
        ),
      ]),
    ].join('\n'),
}

/** The branches of an `if` that complete with names. */
function bashNames(commands: Completed[]): string {
  const byNames = commands.filter(({ name }) => toMembers.has(name)).map(({ name }) => name)
  const isWord = `"\${COMP_WORDS[COMP_CWORD]}" != -*`
  const first = [
    `${isWord} && "$COMP_CWORD" -eq 2 && " ${byNames.join(' ')} " == *" \${COMP_WORDS[1]} "*`,
    'names',
  ] as const
  const options = Object.entries(valuesOf).map(([long, words]) => [`"$previous" == ${long}`, words] as const)
  return [first, ...options]
    .map(([test, words]) => `  elif [[ ${test} ]]; then words=$(claude-net ${words} 2>/dev/null)`)
    .join('\n')
}

/** What zsh calls for a value. */
function zshWords(words: Words | undefined): string {
  return words === undefined ? '_files' : `{_claude_net_names ${words}}`
}

function fishFor(command: string): string {
  return `complete -c claude-net -n ${quoted(`__fish_seen_subcommand_from ${command}`)}`
}

function fishWords(words: Words): string {
  return quoted(`(claude-net ${words} 2>/dev/null)`)
}

function longs(options: Completed['options']): string {
  return [...options.map(({ long }) => long), '--help'].join(' ')
}

/** As one word of any of the three shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
