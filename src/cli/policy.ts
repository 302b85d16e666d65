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
        // If config.json contains the setting, the next session sends it to the hub, so it is changed there as well.
        if (inbound !== undefined && 'inbound' in config) home.writeConfig({ inbound })
        if (isMuteChanged && 'mute' in config) home.writeConfig({ mute: answer.mute })
        print(
          { json },
          answer,
          () => `Inbound: ${meanings[answer.inbound] ?? answer.inbound}\nMuted: ${answer.mute.join(', ') || 'nobody'}`,
        )
      }),
    )
}

const meanings: Record<string, string> = {
  accept: 'accept (Claude reads them)',
  hold: 'hold (Claude sees the sender; you read them with claude-net inbox)',
  refuse: 'refuse (senders are notified)',
}
