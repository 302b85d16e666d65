import { text as readAll } from 'node:stream/consumers'
import { Command, Option } from 'commander'
import { openMachine } from '../client/machine.ts'
import { sentText } from '../mcp/send-tool.ts'
import type { Intent } from '../protocol/messages.ts'
import { recipientsIn } from '../protocol/names.ts'
import { exit, print } from './output.ts'

interface SendOptions {
  replyTo?: string
  intent?: Intent
  expiresIn?: string
  id?: string
  json?: boolean
}

export function sendCommand(): Command {
  return new Command('send')
    .description('send a message')
    .argument('<to>', 'a member, several separated by commas, or all')
    .argument('<text...>', 'the text, or - to read it from stdin')
    .option('--reply-to <id>', 'the message that this one answers')
    .addOption(new Option('--intent <intent>', 'what is wanted').choices(['request', 'inform', 'urgent']))
    .option('--expires-in <seconds>', 'let it expire when nobody has read it by then')
    .option('--id <id>', 'the id (a UUID), to repeat a send safely')
    .option('--json', 'print JSON')
    .action(async (to: string, words: string[], options: SendOptions) => {
      const { client, outbox } = openMachine()
      const body = words.length === 1 && words[0] === '-' ? await readAll(process.stdin) : words.join(' ')
      const names = recipientsIn(to)
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.once(signal, () => {
          const isKept = outbox.keepUnderWay() > 0
          if (isKept)
            process.stderr.write('claude-net: not answered yet, so it is kept; it goes out when the hub answers.\n')
          process.exit(exit.unreachable)
        })
      }
      const sent = await outbox.send({
        id: options.id,
        to: names.length === 1 ? names[0]! : names,
        body,
        replyTo: options.replyTo,
        intent: options.intent ?? (options.replyTo ? 'inform' : undefined),
        expiresInS: options.expiresIn === undefined ? undefined : Number(options.expiresIn),
      })
      print(options, sent, () => sentText(sent, client.now()))
      if (sent.kept) process.exitCode = exit.unreachable
      client.close()
    })
}
