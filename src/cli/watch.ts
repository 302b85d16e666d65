import { Command } from 'commander'
import { startDrainer } from '../client/drainer.ts'
import { followEvents } from '../client/follow-events.ts'
import { openMachine } from '../client/machine.ts'
import type { StreamEvent } from '../protocol/events.ts'
import { presenceInWords } from '../text/presence.ts'
import { tellDrained } from './as-machine.ts'

export function watchCommand(): Command {
  return new Command('watch')
    .description('show what happens here, as it happens, until Ctrl-C')
    .option('--json', 'print one JSON object a line')
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
      // The hub answers: what waits goes out, and what then waits still is left to a process of its own.
      const onOpen = () =>
        void outbox
          .drain()
          .then(drained => tellDrained(machine, drained, process.stderr))
          .then(() => startDrainer(home))
          .catch(() => {})
      for await (const { cursor, ...event } of followEvents(client, { signal, onAway, onOpen })) {
        process.stdout.write(json ? `${JSON.stringify({ ...event, cursor })}\n` : `${inWords(event, client.now())}\n`)
      }
    })
}

function inWords({ event, data }: StreamEvent, now: number): string {
  switch (event) {
    case 'inbox':
      return `from ${data.from}: ${data.intent}, ${data.unread} unread (${data.id})`
    case 'receipt':
      return `${data.recipient}: ${data.status} (${data.id})`
    case 'presence':
      return `${data.name}: ${presenceInWords(data, now)}`
  }
}
