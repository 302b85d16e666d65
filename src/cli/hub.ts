import { resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { ClaudeNetError } from '../protocol/errors.ts'
import { heldPlaces } from './held-port.ts'
import { exit, fail, print } from './output.ts'

/** The file that the service goes by. */
const serviceConfig = '/etc/claude-net/hub.json'

/** The oldest Node that has the SQLite the hub needs. */
const hubNode = 24

export function hubCommand(): Command {
  return new Command('hub')
    .description('Run a hub in the foreground')
    .option('--host <address>', 'Address to listen on (default 0.0.0.0)')
    .option('--port <number>', 'Port to listen on, 0 for any (default 3500)', toPort)
    .option('--data <dir>', 'Directory of the store, created if missing (default ./data)')
    .option('--config <file>', 'Configuration file, hub.json; flags take precedence over it')
    .option('--journal <url>', 'Share the history in etcd with other hubs: etcd://HOST:PORT,HOST:PORT,…[/NAME]')
    .option('--hub-name <name>', 'Name of this hub among them (default: the name of this host)')
    .option('--check', 'Only check hub.json, and compare its address with claude-net.socket')
    .option('--json', 'With --check: print JSON')
    .option('--log-level <level>', 'Log level: silent, fatal, error, warn, info, debug or trace (default info)')
    .addOption(new Option('--until-eof', 'Stop when standard input ends').hideHelp())
    .action(
      async ({
        logLevel,
        check,
        json,
        untilEof,
        ...flags
      }: {
        host?: string
        port?: number
        data?: string
        config?: string
        logLevel?: 'info'
        check?: boolean
        json?: boolean
        untilEof?: boolean
      }) => {
        const { runHub, readHubConfig, isSamePlace, placeInWords } = await loadHub()
        if (check) {
          const { host, port, data, telegram } = readHubConfig({ ...flags, logLevel })
          const what = flags.config ?? 'Without a file, the hub'
          const people = telegram ? ', and reaches people on Telegram' : ''
          const held = await heldPlaces()
          const places = held?.map(placeInWords)
          const agrees = held?.some(place => isSamePlace({ host, port }, place)) ?? true
          // Another file may not be the one that the service uses.
          const ok = agrees || resolve(flags.config ?? '') !== serviceConfig
          print(
            { json },
            { ok, host, port, data, telegram: telegram !== undefined, socket: places ?? null, agrees },
            () =>
              [
                `${what} is good: it listens on ${host}, port ${port}, keeps its store in ${data}${people}.`,
                ...(agrees
                  ? []
                  : [
                      `But systemd holds ${places!.join(', ')} for the service (claude-net.socket), and that wins there.`,
                      'sudo claude-net install-service writes the unit anew, from /etc/claude-net/hub.json.',
                    ]),
              ].join('\n'),
          )
          if (!ok) process.exitCode = exit.refused
          return
        }
        if (untilEof) stopAtEof()
        try {
          await runHub({ ...flags, logLevel })
        } catch (error) {
          fail(error, false)
          // Never 75: a store that cannot be used will not be usable a moment later.
          process.exitCode = exit.refused
        }
      },
    )
}

/** Sends SIGTERM to this process when standard input ends. */
function stopAtEof(): void {
  process.stdin.on('close', () => process.kill(process.pid, 'SIGTERM')).resume()
  // A hub that stops for another reason does not wait for the end of its input.
  if ('unref' in process.stdin) process.stdin.unref()
}

export function demoCommand(): Command {
  return new Command('demo')
    .description('Run a temporary hub and two machines, one of which writes to the other')
    .option('--once', 'Exit at the end of the demo instead of waiting for Ctrl-C')
    .option('--telegram <hub.json>', 'Also write to a person, through the bot of this file, which no other hub may use')
    .option('--json', 'Print one JSON object per line, for each step')
    .action(async (options: { once?: boolean; telegram?: string; json?: boolean }) => {
      requireHubNode()
      const { demo } = await import('../demo/demo.ts').catch(noHubHere)
      await demo(options)
    })
}

/** The hub's bundle. Throws where the program or its Node is not enough for it. */
export async function loadHub(): Promise<typeof import('../hub/serve.ts')> {
  requireHubNode()
  return import('../hub/serve.ts').catch(noHubHere)
}

function requireHubNode(): void {
  const major = Number(process.versions.node.split('.')[0])
  if (major >= hubNode) return
  throw new ClaudeNetError(
    'invalid',
    `A hub needs Node ${hubNode} or newer; this is ${process.version}.`,
    'In a checkout, npm start and npx claude-net bring their own.',
  )
}

/** Says in words that a bundle is not there, which only a host of a hub has. Any other error is thrown on. */
export function noHubHere(error: NodeJS.ErrnoException): never {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
  throw new ClaudeNetError(
    'not_found',
    "This is a machine's client; it has no hub in it.",
    "Run this on the hub's host, or from a checkout of Claude Net.",
  )
}

/** Reads a port, 0 for any. Throws commander's error of a wrong argument. */
export function toPort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return port
  throw new InvalidArgumentError('A port is a number from 0 to 65535.')
}
