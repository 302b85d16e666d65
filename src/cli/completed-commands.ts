import type { Argument, Command, Option } from 'commander'

/**
 * Values that a shell offers: the output of a command of ours, file names, a list of words, or of words with a description
 * each.
 */
export type Values = 'names' | 'names --projects' | 'files' | string[] | [name: string, what: string][]

/** A command, or the program itself, as a shell completes it. */
export interface Completed {
  /** `send`, `webhook add`; '' for the program. */
  path: string
  /** `values` is undefined for an option that takes none. */
  options: { long: string; what: string; values: Values | undefined }[]
  /** Values of its arguments in order, or its subcommands as the first. Shells offer file names for those that are missing. */
  places: Values[]
}

/** Most values that an argument which may be repeated is completed with. */
const maxRepeats = 8

/** Returns the program and all its commands and subcommands that its help shows. */
export function completedCommands(program: Command, path = ''): Completed[] {
  const help = program.createHelp()
  const subcommands = help.visibleCommands(program)
  const options = help.visibleOptions(program).filter(({ long }) => long)
  const own: Completed = {
    path,
    options: options.map(option => ({
      long: option.long!,
      what: option.description,
      values: option.required || option.optional ? valuesOf(option) : undefined,
    })),
    places:
      subcommands.length > 0
        ? [subcommands.map((command): [string, string] => [command.name(), command.description()])]
        : placesOf(program.registeredArguments, path),
  }
  const below = subcommands.filter(command => program.commands.includes(command))
  return [own, ...below.flatMap(command => completedCommands(command, `${path} ${command.name()}`.trim()))]
}

/** Arguments and values that name members, whatever the command. */
const memberValues = new Set(['member', 'members', 'human', 'machine', 'machines', 'names'])

/** Commands whose first argument, `name`, is a member that exists. */
const ofMembers = new Set(['rename', 'rotate', 'bind', 'revoke', 'delete'])

/** Options that take the name of a member. */
const memberOptions = new Set(['--actor', '--target', '--as'])

function valuesOf({ long, flags, argChoices }: Option): Values {
  if (argChoices) return argChoices
  const value = /[<[]([\w.-]+?)(?:\.\.\.)?[>\]]/.exec(flags)?.[1] ?? ''
  if (memberValues.has(value) || memberOptions.has(long!)) return 'names'
  return long === '--project' ? 'names --projects' : 'files'
}

/** Values of arguments up to the first that can only be typed, or is a file. */
function placesOf(args: readonly Argument[], path: string): Values[] {
  const values = args.map((argument): Values => {
    if (argument.argChoices) return argument.argChoices
    const name = argument.name()
    const isMember = memberValues.has(name) || (name === 'name' && ofMembers.has(path))
    return isMember || (name === 'to' && path !== 'rename') ? 'names' : 'files'
  })
  const last = args.at(-1)
  const repeated = last?.variadic && values.at(-1) !== 'files' ? Array<Values>(maxRepeats).fill(values.at(-1)!) : []
  return [...values, ...repeated]
}
