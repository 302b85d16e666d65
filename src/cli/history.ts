import { Command } from 'commander'
import type { HubClient } from '../client/hub-client.ts'
import { quote } from '../mcp/inbox-text.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { MessageId } from '../protocol/ids.ts'
import type { MessageWithReceipts } from '../protocol/messages.ts'
import { formatAddress } from '../protocol/projects.ts'
import { concernLine, damagedHub } from '../text/concerns.ts'
import { receiptInWords } from '../text/receipts.ts'
import { ago, count } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import { asMachine } from './as-machine.ts'
import { print } from './output.ts'
import { timelineInWords } from './timeline.ts'
import { isInsideClaude, withheld, withheldText } from './withheld.ts'

interface HistoryOptions {
  with?: string
  limit?: string
  before?: string
  json?: boolean
}

export function historyCommand(): Command {
  return new Command('history')
    .description('Show sent and received messages with their receipts, newest first')
    .argument(
      '[words...]',
      'Words, or beginnings of words, that a message contains; or the id of one message, to show its steps',
    )
    .option('--with <member>', 'Show only messages between this machine and a member')
    .option('--limit <n>', 'Show at most n messages (default 20)')
    .option('--before <seq>', 'Show only messages older than this position in the history')
    .option('--json', 'Print JSON')
    .action((words: string[], { with: other, limit = '20', before, json }: HistoryOptions) =>
      asMachine({ json }, async ({ client }) => {
        const one = await messageNamed(client, words)
        if (one) {
          const { message } = withheldIn(one)
          print(
            { json },
            { ...one, message },
            () => `${headInWords(message, client.now())}\n${timelineInWords(one, client.now())}`,
          )
          return
        }
        const q = words.length > 0 ? words.join(' ') : undefined
        const found = await client.call(api.listMessages, { query: { with: other, q, limit, before } })
        const messages = found.messages.map(withheldIn)
        const answer = { ...found, messages }
        print({ json }, answer, () => {
          const note = answer.damaged ? [concernLine(damagedHub)] : []
          if (answer.messages.length === 0) return ['Nothing found.', ...note].join('\n')
          const oldest = answer.messages.at(-1)!.message.seq
          const more = answer.more ? [`Older ones: --before ${oldest}`] : []
          return [...answer.messages.map(entry => inWords(entry, client.now())), ...more, ...note].join('\n\n')
        })
      }),
    )
}

function withheldIn(entry: MessageWithReceipts): MessageWithReceipts {
  return { ...entry, message: withheld(entry.message) }
}

/** The message whose id is the only word; undefined where that is none, or only stands in a text. */
async function messageNamed(client: HubClient, words: readonly string[]): Promise<MessageWithReceipts | undefined> {
  const id = MessageId.safeParse(words.length === 1 ? words[0] : undefined)
  if (!id.success) return undefined
  try {
    return await client.call(api.getMessage, { params: { id: id.data } })
  } catch (error) {
    if (error instanceof ClaudeNetError && error.code === 'not_found') return undefined
    throw error
  }
}

function inWords({ message, receipts }: MessageWithReceipts, now: number): string {
  const standing = receipts.map(
    receipt => `  ${formatAddress(receipt)}: ${receiptInWords(receipt, message.intent !== 'inform', now)}`,
  )
  return `${headInWords(message, now)}\n${standing.join('\n')}\n${message.id}`
}

/** Formats a message: sender, recipients, time, intent and text. */
function headInWords(message: MessageWithReceipts['message'], now: number): string {
  const { from, fromProject, to, sentAt, intent, replyTo, body, held, textDeletedAt } = message
  const head = [
    `${formatAddress({ name: from, project: fromProject })} → ${visibleLine(to.join(', '), 100)}`,
    ago(Date.parse(sentAt), now),
    intent,
  ]
  if (replyTo) head.push(`answers ${replyTo}`)
  if (held) head.push('held')
  const text = textDeletedAt
    ? textDeleted(sentAt, textDeletedAt)
    : held && isInsideClaude()
      ? `  (${withheldText})`
      : quote(body)
  return `${head.join(' · ')}\n${text}`
}

/** In the place of a text, and unlike one: quoted lines start with `>`. */
function textDeleted(sentAt: string, deletedAt: string): string {
  const days = Math.floor((Date.parse(deletedAt) - Date.parse(sentAt)) / 86_400_000)
  return `  (text deleted after ${count(days, 'day')}, at ${deletedAt}: this hub keeps texts no longer)`
}
