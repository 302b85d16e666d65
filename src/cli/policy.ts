import { Command, Option } from 'commander'
import { api } from '../protocol/api.ts'
import { asMachine } from './as-machine.ts'
import { print } from './output.ts'

interface PolicyOptions {
  inbound?: 'accept' | 'hold' | 'refuse'
  mute?: string[]
  unmute?: string[]
  json?: boolean
}

export function policyCommand(): Command {
  return new Command('policy')
    .description('Show or change how this machine handles incoming messages')
    .addOption(
      new Option(
        '--inbound <what>',
        'Accept messages, hold them for you (your Claude sees the sender, not the text), or refuse them',
      ).choices(['accept', 'hold', 'refuse']),
    )
    .option('--mute <names...>', 'Store messages from these senders without notifying a session')
    .option('--unmute <names...>', 'Notify sessions of their messages again')
    .option('--json', 'Print JSON')
    .action(({ inbound, mute, unmute, json }: PolicyOptions) =>
      asMachine({ json }, async ({ client, home, config }) => {
        const before = await client.call(api.putPolicy, { body: {} })
        const kept = before.mute.filter(name => !unmute?.includes(name))
        const isMuteChanged = mute !== undefined || unmute !== undefined
        const answer =
          inbound === undefined && !isMuteChanged
            ? before
            : await client.call(api.putPolicy, {
                body: { inbound, ...(isMuteChanged && { mute: [...kept, ...(mute ?? [])] }) },
              })
        // Where the file has a word on it, the next session would tell the hub that again.
        if (inbound !== undefined && 'inbound' in config) home.writeConfig({ inbound })
        if (isMuteChanged && 'mute' in config) home.writeConfig({ mute: answer.mute })
        print(
          { json },
          answer,
          () => `Mail: ${meanings[answer.inbound] ?? answer.inbound}\nMuted: ${answer.mute.join(', ') || 'nobody'}`,
        )
      }),
    )
}

const meanings: Record<string, string> = {
  accept: 'accept (Claude reads it)',
  hold: 'hold (Claude sees who wrote; you read it with claude-net inbox)',
  refuse: 'refuse (senders are told)',
}
