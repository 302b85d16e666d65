import { Command } from 'commander'
import { startDrainer } from '../client/drainer.ts'
import { followEvents } from '../client/follow-events.ts'
import type { HubClient } from '../client/hub-client.ts'
import { openMachine } from '../client/machine.ts'
import { api } from '../protocol/api.ts'
import type { StreamEvent } from '../protocol/events.ts'
import { presenceInWords } from '../text/presence.ts'
import { visibleLine } from '../text/visible.ts'
import { tellDrained } from './as-machine.ts'
import { withheld, withheldText } from './withheld.ts'

export function watchCommand(): Command {
  return new Command('watch')
    .description('Print messages and other events of this machine as they happen, until Ctrl-C')
    .option('--json', 'Print one JSON object per line')
    .action(async ({ json }: { json?: boolean }) => {
      const machine = openMachine()
      const { client, outbox, home } = machine
      const stop = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const)
        process.once(signal, () => {
          stop.abort()
          client.close()
        })
      const { signal } = stop
      const onAway = ({ message }: Error) =>
        process.stderr.write(`claude-net: ${message} Trying again until it is back.\n`)
      // The hub is reachable: sends what waits, and leaves the rest to a separate process.
      const onOpen = () =>
        void outbox
          .drain()
          .then(drained => tellDrained(machine, drained, process.stderr))
          .then(() => startDrainer(home))
          .catch(() => {})
      if (!json)
        process.stdout.write(
          `Watching as ${home.readConfig()?.machine ?? 'this machine'}: unread messages first, then new events. Ctrl-C ends it.\n`,
        )
      for await (const { cursor, ...event } of followEvents(client, { withDelivery: !json, signal, onAway, onOpen })) {
        if (json) process.stdout.write(`${JSON.stringify({ ...event, cursor })}\n`)
        else process.stdout.write(`${clockTime(client.now())}  ${await inWords(event, client)}\n`)
      }
    })
}

/** Returns the local time of day, to the second. */
function clockTime(now: number): string {
  return new Date(now).toTimeString().slice(0, 8)
}

async function inWords({ event, data }: StreamEvent, client: HubClient): Promise<string> {
  switch (event) {
    case 'inbox':
      return `${data.from} → ${data.project ? `you/${data.project}` : 'you'} · ${data.intent} · ${data.unread} unread · ${data.id}${await beginning(data, client)}`
    case 'receipt':
      return `${data.recipient} ${data.status} ${data.id}`
    case 'presence':
      return `${data.name} is ${presenceInWords(data, client.now())}`
  }
}

type InboxEvent = Extract<StreamEvent, { event: 'inbox' }>['data']

/** The first line of a message's text, quoted on a line of its own. Nothing when it cannot be had: the inbox has it. */
async function beginning({ id, delivery }: InboxEvent, client: HubClient): Promise<string> {
  try {
    const message = delivery ?? (await client.call(api.getMessage, { params: { id } })).message
    const { held, body: text } = withheld(message)
    if (held && text === '') return `\n          (${withheldText})`
    return `\n          > ${visibleLine(text.trimStart().split('\n')[0]!, 100)}`
  } catch {
    return ''
  }
}
