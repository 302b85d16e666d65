import { Command, InvalidArgumentError, Option } from 'commander'
import { startDrainer } from '../client/drainer.ts'
import type { HubClient } from '../client/hub-client.ts'
import { openMachine } from '../client/machine.ts'
import { readTiming } from '../client/timing.ts'
import { sentText, timingLines } from '../mcp/send-tool.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { type Intent, isBlank, maxExpiryS } from '../protocol/messages.ts'
import { recipientsIn } from '../protocol/names.ts'
import { momentForms } from '../text/moment.ts'
import { ownZone } from '../text/zone.ts'
import { close } from './as-machine.ts'
import { exit, print } from './output.ts'
import { scopeHere } from './scope-here.ts'
import { textHelp, textOf } from './text-argument.ts'
import { UsageError } from './usage-error.ts'

interface SendOptions {
  replyTo?: string
  intent?: Intent
  at?: string
  expires?: string
  expiresIn?: number
  id?: string
  allowSecret?: boolean
  json?: boolean
}

export function sendCommand(): Command {
  return new Command('send')
    .description('Send a message')
    .argument('<to>', 'A member, a project of a member (sean/billing), several separated by commas, or all')
    .argument('<text...>', 'The text, or - to read it from standard input')
    .option('--reply-to <id>', 'Id of the message that this one answers')
    .addOption(new Option('--intent <intent>', 'Response that you expect').choices(['request', 'inform', 'urgent']))
    .option('--at <time>', 'Store the message now and deliver it at this time, such as "tomorrow 9:00"')
    .option('--expires <time>', 'Let the message expire if nobody has read it by then, such as "in 2h"')
    .addOption(new Option('--expires-in <seconds>', 'The same, in seconds').argParser(toSeconds).conflicts('expires'))
    .option('--id <id>', 'Id of the message, a UUID; makes it safe to repeat the command')
    .option('--allow-secret', 'Send the text even if it appears to contain a key or a token')
    .option('--json', 'Print JSON')
    .passThroughOptions()
    .addHelpText('after', `\nA time is one of: ${momentForms}.\n${textHelp}`)
    .action(async (to: string, words: string[], _options: SendOptions, command: Command) => {
      const body = await textOf(command, words)
      const options = command.opts<SendOptions>()
      refuseBlank(body)
      if (!options.allowSecret) {
        const { refuseSecrets } = await import('../client/secrets.ts')
        refuseSecrets(body)
      }
      const machine = openMachine()
      const { client, outbox, home } = machine
      const names = recipientsIn(to)
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.once(signal, () => {
          const { kept, trouble } = outbox.keepUnderWay()
          if (kept > 0)
            process.stderr.write('claude-net: not answered yet, so it is kept; it goes out when the hub answers.\n')
          if (trouble)
            process.stderr.write(`claude-net: not answered yet, and it could not be kept either: ${trouble}.\n`)
          startDrainer(home)
          process.exit(trouble ? exit.refused : exit.unreachable)
        })
      }
      let out: NodeJS.WriteStream = process.stderr
      // False once the hub was unreachable or refused this machine, which need not be reported twice.
      let mayDrain = true
      try {
        const timing = await timingOf(options, client)
        const sent = await outbox.send({
          id: options.id,
          to: names.length === 1 ? names[0]! : names,
          body,
          replyTo: options.replyTo,
          intent: options.intent ?? (options.replyTo ? 'inform' : undefined),
          expiresInS: options.expiresIn,
          ...timing,
          fromProject: scopeHere(home, machine.config) || undefined,
        })
        if (!options.json) out = process.stdout
        print(options, sent, () =>
          [
            sentText(sent, client.now()),
            ...timingLines(sent, { ...timing, timeZone: ownZone(), now: client.now() }),
          ].join('\n'),
        )
        if (sent.kept) process.exitCode = exit.unreachable
        mayDrain = !sent.kept || sent.behind === true
      } catch (error) {
        mayDrain = !(error instanceof ClaudeNetError) || !['unauthorized', 'internal'].includes(error.code)
        throw error
      } finally {
        await close(machine, mayDrain ? () => outbox.drain() : undefined, out)
      }
    })
}

/** Times are read by the hub's clock, as far as it can be asked, and by this machine's zone. */
async function timingOf({ at, expires }: SendOptions, client: HubClient): Promise<ReturnType<typeof readTiming>> {
  if (at === undefined && expires === undefined) return {}
  // Reads the hub's clock; if that fails, this machine's clock is used, and the send reports the error.
  await client.call(api.health).catch(() => {})
  try {
    return readTiming({ at, expires }, { now: client.now(), timeZone: ownZone() })
  } catch (error) {
    const { message, hint } = error as ClaudeNetError
    throw new UsageError(`--${message}`, hint)
  }
}

function refuseBlank(text: string): void {
  if (isBlank(text)) throw new UsageError('The text is blank, so nothing was sent.', 'Give it some words.')
}

function toSeconds(text: string): number {
  const seconds = Number(text)
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= maxExpiryS) return seconds
  throw new InvalidArgumentError(`It must be a number of seconds from 1 to ${maxExpiryS}.`)
}
