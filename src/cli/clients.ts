import { Argument, Command } from 'commander'
import { exportLine } from '../claude/http-server.ts'
import { Home } from '../client/home.ts'
import { plainAddress } from '../protocol/hub-address.ts'
import { type ClientConfiguration, clientNames, configurationsOf } from './other-clients.ts'
import { print } from './output.ts'

export function clientsCommand(): Command {
  return new Command('clients')
    .description('Print the configuration that gives another MCP client the tools of this machine')
    .addArgument(new Argument('[client]', 'Print only the configuration of this client').choices(clientNames))
    .option('--http', 'Print only the form that connects to the hub over HTTP, without a local process')
    .option('--json', 'Print JSON')
    .action((client: string | undefined, { http, json }: { http?: boolean; json?: boolean }) => {
      const home = new Home()
      const { config, hub } = home.credentials()
      const address = config.hubKey === undefined ? hub : plainAddress(hub)
      const url = config.sshHost === 'local' ? new URL('/mcp', address).href : undefined
      const clients = configurationsOf(home.launcher, url).filter(
        ({ name, form }) => (!client || name === client) && (!http || form === 'http'),
      )
      const hasHttp = clients.some(({ form }) => form === 'http')
      const environment = hasHttp ? exportLine(home.tokenFile) : undefined
      print({ json }, { machine: config.machine, clients, environment }, () => {
        const rest = environment
          ? `The forms over HTTP take the token from the environment, by a line such as this in your shell's profile:\n\n  ${environment}${config.hubKey === undefined ? '' : unproven}`
          : `This machine reaches its hub through ${config.sshHost}: there is no form over HTTP.`
        return [...clients.map(asText), ...(hasHttp || !url ? [rest] : [])].join('\n\n')
      })
    })
}

/** Warns of what a machine that knows its hub's key gives up with a client that does not compare it. */
const unproven =
  '\n\nThey compare no key: the token goes in the clear, to whoever answers at that address. A process of this machine speaks TLS.'

function asText({ title, form, file, text }: ClientConfiguration): string {
  const lines = text.split('\n').map(line => `  ${line}`)
  return `${title}, ${form === 'http' ? 'over HTTP' : 'with a process of this machine'}: ${file}\n\n${lines.join('\n')}`
}
