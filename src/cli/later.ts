import { Command } from 'commander'
import type { Machine } from '../client/machine.ts'
import { quote } from '../mcp/inbox-text.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { MessageId } from '../protocol/ids.ts'
import type { LaterAnswer, LaterMessage } from '../protocol/messages.ts'
import { ago, count, largestUnit } from '../text/spans.ts'
import { visible, visibleLine } from '../text/visible.ts'
import { momentInWords, ownZone } from '../text/zone.ts'
import { asMachine } from './as-machine.ts'
import { print } from './output.ts'
import { UsageError } from './usage-error.ts'

interface LaterOptions {
  json?: boolean
}

export function laterCommand(): Command {
  const later = new Command('later')
    .description('List scheduled messages of this machine that are not yet delivered, or cancel some')
    .option('--json', 'Print JSON')
    .action((options: LaterOptions) =>
      asMachine(options, async ({ client, outbox }) => {
        const answer = await client.call(api.listLater).catch(error => {
          throw asOlder(error)
        })
        const kept = outbox.waitingLater()
        print(options, answer, () => inWords(answer, kept.length, client.now()))
      }),
    )
  later
    .command('cancel')
    .description('Cancel scheduled messages before they are delivered')
    .argument('<ids...>', 'Ids, as shown by claude-net later')
    .option('--json', 'Print JSON')
    .action((ids: string[], _options: LaterOptions, command: Command) => {
      const options = command.optsWithGlobals<LaterOptions>()
      const wrong = ids.find(id => !MessageId.safeParse(id).success)
      if (wrong !== undefined)
        throw new UsageError(`'${visibleLine(wrong, 80)}' is no id of a message.`, 'claude-net later shows the ids.')
      return cancel(options, ids)
    })
  return later
}

async function cancel(options: LaterOptions, ids: string[]): Promise<void> {
  await asMachine(options, async machine => {
    const cancelled: string[] = []
    for (const typed of ids) {
      const id = MessageId.parse(typed)
      await cancelOne(machine, id)
      cancelled.push(id)
    }
    print(options, { cancelled }, () => `Cancelled ${count(cancelled.length, 'message')}.`)
  })
}

/** Cancels a message that waits in the outbox here and on the hub, which it may have reached. */
async function cancelOne({ client, outbox }: Machine, id: string): Promise<void> {
  const wasKept = outbox.waitingLater().includes(id)
  try {
    await client.call(api.cancelLater, { params: { id } })
  } catch (error) {
    const isUnknown = error instanceof ClaudeNetError && error.code === 'not_found'
    if (!wasKept || !isUnknown) throw asOlder(error)
  }
  if (wasKept) outbox.forget(id)
}

function inWords({ messages }: LaterAnswer, kept: number, now: number): string {
  const here =
    kept > 0 ? [`${count(kept, 'scheduled message')} ${kept === 1 ? 'waits' : 'wait'} here for the hub.`] : []
  if (messages.length === 0) return ['No messages are scheduled.', ...here].join('\n')
  return [...messages.map(message => oneInWords(message, now)), ...here].join('\n\n')
}

function oneInWords(message: LaterMessage, now: number): string {
  const { id, to, at, writtenAt, intent, replyTo, expiresInS, beginning, bytes } = message
  const parts = [
    `to ${visible(to.join(', ')).slice(0, 200)}`,
    momentInWords(Date.parse(at), ownZone(), now),
    `written ${ago(Date.parse(writtenAt), now)}`,
    ...(intent ? [intent] : []),
    ...(replyTo ? [`answers ${replyTo}`] : []),
    ...(expiresInS === undefined ? [] : [`expires ${largestUnit(expiresInS * 1000)} after that`]),
  ]
  const isCut = Buffer.byteLength(beginning) < bytes
  return `${parts.join(' · ')}\n${quote(beginning)}${isCut ? `\n  (${bytes} bytes in all)` : ''}\n${id}`
}

/** Returns the error of an older hub, which has no such route, in words. */
function asOlder(error: unknown): unknown {
  const isOlder = error instanceof ClaudeNetError && /^There is no \w+ on this path/.test(error.message)
  if (!isOlder) return error
  return new ClaudeNetError(
    'not_found',
    'This hub is older, and has no scheduled messages.',
    'Ask its admin to update it: claude-net update',
  )
}
