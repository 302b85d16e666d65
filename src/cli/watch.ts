import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { openMachine } from '../client/machine.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { StreamEvent } from '../protocol/events.ts'
import { presenceInWords } from '../text/presence.ts'

/** Pauses between tries to reach the hub, in ms: doubled from the first to the last, each shortened at random by up to half. */
const retryMs = { first: 500, last: 30_000 }

export function watchCommand(): Command {
  return new Command('watch')
    .description('show what happens here, as it happens, until Ctrl-C')
    .option('--json', 'print one JSON object a line')
    .action(async ({ json }: { json?: boolean }) => {
      const { client } = openMachine()
      const stop = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
      const { signal } = stop
      let cursor: string | undefined
      let pause = retryMs.first
      while (!signal.aborted) {
        try {
          const opened = () => (pause = retryMs.first)
          const ready = (reached: string) => (cursor = reached)
          for await (const { cursor: seen, ...event } of client.events({ cursor, signal, opened, ready })) {
            process.stdout.write(
              json ? `${JSON.stringify({ ...event, cursor: seen })}\n` : `${inWords(event, client.now())}\n`,
            )
            cursor = seen ?? cursor
          }
        } catch (error) {
          if (!(error instanceof ClaudeNetError) || error.code !== 'unavailable') throw error
          if (pause === retryMs.first)
            process.stderr.write(`claude-net: ${error.message} Trying again until it is back.\n`)
        }
        await delay(pause * (1 - Math.random() / 2), undefined, { signal }).catch(() => {})
        pause = Math.min(pause * 2, retryMs.last)
      }
      client.close()
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
