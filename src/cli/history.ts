import { Command } from 'commander'
import { quote } from '../mcp/inbox-text.ts'
import { api } from '../protocol/api.ts'
import type { MessageWithReceipts, Receipt } from '../protocol/messages.ts'
import { formatAddress } from '../protocol/projects.ts'
import { concernLine, damagedHub } from '../text/concerns.ts'
import { presenceInWords } from '../text/presence.ts'
import { ago, count } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import { asMachine } from './as-machine.ts'
import { print } from './output.ts'
import { isInsideClaude, withheld, withheldText } from './withheld.ts'

interface HistoryOptions {
  with?: string
  limit?: string
  before?: string
  json?: boolean
}

export function historyCommand(): Command {
  return new Command('history')
    .description('show what was sent and received here, newest first, with what became of it')
    .argument('[words...]', 'only messages with these words, or beginnings of words')
    .option('--with <member>', 'only what passed between this machine and a member')
    .option('--limit <n>', 'at most n (default 20)')
    .option('--before <seq>', 'only what is older than this place in the history')
    .option('--json', 'print JSON')
    .action((words: string[], { with: other, limit = '20', before, json }: HistoryOptions) =>
      asMachine({ json }, async ({ client }) => {
        const q = words.length > 0 ? words.join(' ') : undefined
        const found = await client.call(api.listMessages, { query: { with: other, q, limit, before } })
        const messages = found.messages.map(entry => ({ ...entry, message: withheld(entry.message) }))
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

function inWords({ message, receipts }: MessageWithReceipts, now: number): string {
  const { id, from, fromProject, to, sentAt, intent, replyTo, body, held, textDeletedAt } = message
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
  return `${head.join(' · ')}\n${text}\n${receipts.map(receipt => receiptInWords(receipt, intent !== 'inform', now)).join('\n')}\n${id}`
}

/** In the place of a text, and unlike one: quoted lines start with `>`. */
function textDeleted(sentAt: string, deletedAt: string): string {
  const days = Math.floor((Date.parse(deletedAt) - Date.parse(sentAt)) / 86_400_000)
  return `  (text deleted after ${count(days, 'day')}, at ${deletedAt}: this hub keeps texts no longer)`
}

/** The furthest step of one delivery, and when. */
function receiptInWords(receipt: Receipt, wantsAnswer: boolean, now: number): string {
  const name = formatAddress(receipt)
  const { status, reason, fetchedAt, fetchedBySession, ackedAt, answeredAt, expiredAt } = receipt
  const when = (at: string | undefined) => (at ? ago(Date.parse(at), now) : '')
  switch (status) {
    case 'acked':
      return `  ${name}: acked ${when(ackedAt)}${answeredAt ? `, answered ${when(answeredAt)}` : wantsAnswer ? ', not answered yet' : ''}`
    case 'fetched':
      return `  ${name}: fetched by session ${fetchedBySession} ${when(fetchedAt)}`
    case 'expired':
      return `  ${name}: expired ${when(expiredAt)}, ${fetchedAt ? `fetched by session ${fetchedBySession} but not acked` : 'never fetched'}`
    case 'refused':
      return `  ${name}: refused, ${visibleLine(reason ?? '', 200)}`
    case 'stored':
      return `  ${name}: stored, ${presenceInWords(receipt, now)}`
  }
}
