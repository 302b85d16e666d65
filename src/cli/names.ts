import { Command } from 'commander'
import { openMachine } from '../client/machine.ts'
import { api } from '../protocol/api.ts'

/** Timeout of the hub, in ms: the user has pressed Tab and waits. */
const timeoutMs = 1500

/**
 * Prints the names that a shell completes: possible recipients, or the projects of this machine, one a line. Prints nothing where it
 * cannot be known.
 */
export function namesCommand(): Command {
  return new Command('names')
    .description('Print the names of possible recipients, one per line, for completion in a shell')
    .option('--projects', 'Print the projects of this machine instead')
    .action(async ({ projects }: { projects?: boolean }) => {
      try {
        const { client } = openMachine(undefined, timeoutMs)
        const names = await (projects ? ownProjects(client) : addresses(client)).finally(() => client.close())
        if (names.length > 0) process.stdout.write(`${[...new Set(names)].sort().join('\n')}\n`)
      } catch {
        // Without a hub there are no names to complete.
      }
    })
}

type Asker = Pick<ReturnType<typeof openMachine>['client'], 'call'>

async function addresses(client: Asker): Promise<string[]> {
  const { you, members, groups = [] } = await client.call(api.listMachines)
  const readers = members.filter(({ kind }) => kind !== 'service')
  const ofMembers = readers.flatMap(({ name, aliases, projects = [] }) => [
    ...(name === you ? [] : [name, ...aliases]),
    ...projects.map(project => `${name}/${project.name}`),
  ])
  return ['all', ...ofMembers, ...groups.map(({ name }) => name)]
}

async function ownProjects(client: Asker): Promise<string[]> {
  const { you, members } = await client.call(api.listMachines)
  const { projects = [] } = members.find(({ name }) => name === you) ?? {}
  return projects.map(({ name }) => name)
}
