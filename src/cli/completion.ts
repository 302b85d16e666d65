import { Argument, Command } from 'commander'
import { type Completed, completedCommands, type Values } from './completed-commands.ts'
import { print } from './output.ts'

const shells = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof shells)[number]

const help = `
Load it in the current shell, or in its startup file for every new shell:
  bash   eval "$(claude-net completion bash)"
  zsh    eval "$(claude-net completion zsh)"
  fish   claude-net completion fish | source`

/** Prints a script that completes the commands, options and values of `program`. */
export function completionCommand(program: Command): Command {
  return new Command('completion')
    .description('Print a script that completes commands, options and names in a shell')
    .addArgument(new Argument('<shell>', 'The shell').choices(shells))
    .option('--json', 'Print JSON')
    .addHelpText('after', help)
    .action((shell: Shell, options: { json?: boolean }) => {
      const script = completionScript(shell, program)
      print(options, { shell, script }, () => script)
    })
}

/**
 * Returns the script of a shell. All three walk the words before the cursor to the command and the number of its arguments so
 * far, and then offer the values of an option that stands before the cursor, options, or what that argument may be.
 */
export function completionScript(shell: Shell, program: Command): string {
  return scripts[shell](completedCommands(program))
}

const scripts: Record<Shell, (commands: Completed[]) => string> = {
  bash: commands => `# Completes claude-net in bash.
_claude_net() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command= place=0 words= word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$command $word" in
      ${patterns(pathsOf(commands))}) command=\${command:+$command }$word ;;
      ${patterns(valueOptionsOf(commands))}) i=$((i + 1)) ;;
      *' '-*) ;;
      *) place=$((place + 1)) ;;
    esac
  done
  case "$command $previous" in
${valueCases(commands, values => (values === 'files' ? 'return' : `words=${bashWords(values)}`), posixCase)}
    *)
      if [[ $current == -* ]]; then
        case $command in
${commands.map(({ path, options }) => posixCase([path], `words=${quoted(options.map(({ long }) => long).join(' '))}`)).join('\n')}
        esac
      else
        case "$command $place" in
${argumentCases(commands, values => `words=${bashWords(values)}`, posixCase)}
        esac
      fi ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _claude_net claude-net`,

  zsh: commands => `#compdef claude-net
# Completes claude-net in zsh.
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_claude_net() {
  local command= place=0 word i
  local -a found
  for (( i = 2; i < CURRENT; i++ )); do
    word=$words[i]
    case "$command $word" in
      (${patterns(pathsOf(commands))}) command=\${command:+$command }$word ;;
      (${patterns(valueOptionsOf(commands))}) (( i++ )) ;;
      (*' '-*) ;;
      (*) (( place++ )) ;;
    esac
  done
  case "$command $words[CURRENT-1]" in
${valueCases(commands, values => `${zshWords(values)}; return`, posixCase)}
  esac
  if [[ $words[CURRENT] == -* ]]; then
    case $command in
${commands.map(({ path, options }) => posixCase([path], `found=(${described(options.map(({ long, what }) => [long, what]))})`)).join('\n')}
    esac
    _describe -o option found
  else
    case "$command $place" in
${argumentCases(commands, zshWords, posixCase)}
      (*) _files ;;
    esac
  fi
}
if [[ $funcstack[1] == _claude-net ]]; then _claude_net "$@"; else compdef _claude_net claude-net; fi`,

  fish: commands => `# Completes claude-net in fish.
function __claude_net
    set -l current (commandline -ct)
    set -l command ''
    set -l place 0
    set -l skip 0
    set -l tokens (commandline -opc)
    for token in $tokens[2..]
        if test $skip -eq 1
            set skip 0
            continue
        end
        switch "$command $token"
            case ${pathsOf(commands).map(quoted).join(' ')}
                set command (string trim -- "$command $token")
            case ${valueOptionsOf(commands).map(quoted).join(' ')}
                set skip 1
            case '* -*'
            case '*'
                set place (math $place + 1)
        end
    end
    if test $skip -eq 1
        switch "$command $tokens[-1]"
${valueCases(commands, fishWords, fishCase)}
        end
    else if string match -q -- '-*' "$current"
        switch "$command"
${commands.map(({ path, options }) => fishCase([path], fishLines(options.map(({ long, what }) => [long, what])))).join('\n')}
        end
    else
        switch "$command $place"
${argumentCases(commands, fishWords, fishCase)}
            case '*'
                __fish_complete_path "$current"
        end
    end
end
complete -c claude-net -f -a '(__claude_net)'`,
}

/** Returns each command as a walk over the words comes to it: ` send`, `webhook add`. */
function pathsOf(commands: Completed[]): string[] {
  return commands.filter(({ path }) => path !== '').map(({ path }) => (path.includes(' ') ? path : ` ${path}`))
}

/** Returns each option that takes a value, behind its command: `send --at`. */
function valueOptionsOf(commands: Completed[]): string[] {
  return commands.flatMap(({ path, options }) =>
    options.filter(({ values }) => values !== undefined).map(({ long }) => `${path} ${long}`),
  )
}

function patterns(words: string[]): string {
  return words.map(quoted).join('|')
}

/** Writes one branch of a shell's `case` or `switch`. */
type Branch = (words: string[], body: string) => string

function posixCase(words: string[], body: string): string {
  return `      (${patterns(words)}) ${body} ;;`
}

/** Returns the branches of a `case` for options that take a value, one for all options with the same values. */
function valueCases(commands: Completed[], body: (values: Values) => string, branch: Branch): string {
  const bodies = new Map<string, string[]>()
  for (const { path, options } of commands) {
    for (const { long, values } of options) {
      if (values === undefined) continue
      const text = body(values)
      bodies.set(text, [...(bodies.get(text) ?? []), `${path} ${long}`])
    }
  }
  return [...bodies].map(([text, words]) => branch(words, text)).join('\n')
}

/** Returns the branches of a `case` for arguments: behind its command the place of each. */
function argumentCases(commands: Completed[], body: (values: Values) => string, branch: Branch): string {
  return commands
    .flatMap(({ path, places }) =>
      places.flatMap((values, place) => (values === 'files' ? [] : [branch([`${path} ${place}`], body(values))])),
    )
    .join('\n')
}

function isDescribed(values: Values): values is [string, string][] {
  return Array.isArray(values) && Array.isArray(values[0])
}

function namesOf(values: Exclude<Values, string>): string[] {
  return isDescribed(values) ? values.map(([name]) => name) : (values as string[])
}

function bashWords(values: Values): string {
  return typeof values === 'string' ? `$(claude-net ${values} 2>/dev/null)` : quoted(namesOf(values).join(' '))
}

function zshWords(values: Values): string {
  if (values === 'files') return '_files'
  if (typeof values === 'string') return `compadd -- \${(f)"$(claude-net ${values} 2>/dev/null)"}`
  if (isDescribed(values)) return `found=(${described(values)}); _describe command found`
  return `compadd -- ${namesOf(values).join(' ')}`
}

function described(words: [string, string][]): string {
  return words.map(([name, what]) => quoted(`${name}:${what}`)).join(' ')
}

function fishWords(values: Values): string {
  if (values === 'files') return '__fish_complete_path "$current"'
  if (typeof values === 'string') return `claude-net ${values} 2>/dev/null`
  return fishLines(isDescribed(values) ? values : values.map(value => [value, '']))
}

function fishLines(words: [string, string][]): string {
  return `printf '%s\\t%s\\n' ${words.map(([name, what]) => `${quoted(name)} ${quoted(what)}`).join(' ')}`
}

function fishCase(words: string[], body: string): string {
  return `            case ${words.map(quoted).join(' ')}\n                ${body}`
}

/** Returns `text` as one word of any of the three shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
