import { Command, InvalidArgumentError } from 'commander'
import { quote } from '../mcp/inbox-text.ts'
import { api } from '../protocol/api.ts'
import { type InboxAnswer, type InboxMessage, maxPage, sentToOthers } from '../protocol/messages.ts'
import { ago, count } from '../text/spans.ts'
import { visible } from '../text/visible.ts'
import { asMachine } from './as-machine.ts'
import { printWhole } from './output.ts'
import { isInsideClaude, withheld, withheldText } from './withheld.ts'

export function inboxCommand(): Command {
  return new Command('inbox')
    .description('show unread messages, oldest first')
    .option('--limit <n>', `show at most n (default and most ${maxPage})`, toLimit)
    .option('--ack', 'mark what is shown as read')
    .option('--json', 'print JSON')
    .action(({ limit, ack, json }: { limit?: number; ack?: boolean; json?: boolean }) =>
      asMachine({ json }, async ({ client }) => {
        const read = await client.call(api.readInbox, { query: { limit } })
        const answer = { ...read, messages: read.messages.map(message => withheld(message)) }
        await printWhole({ json }, answer, () => inboxForTerminal(answer, client.now()))
        // What was withheld was given to nobody, and stays unread.
        const given = answer.messages.filter(({ held }) => !held || !isInsideClaude())
        const ids = given.map(({ id }) => id)
        // What was printed is in the pipe or on the screen: only now was it given to anyone.
        if (ids.length > 0) await client.call(api.markFetched, { body: { ids, session: `cli-${process.pid}` } })
        if (ids.length > 0 && ack) await client.call(api.ackInbox, { body: { ids } })
      }),
    )
}

function inboxForTerminal({ you, messages, unread, more }: InboxAnswer, now: number): string {
  if (messages.length === 0) return 'No unread messages.'
  const rest = more > 0 ? [`${more} more unread.`] : []
  return [
    `${count(unread, 'unread message')}.`,
    ...messages.map(message => forTerminal(message, { you, now })),
    ...rest,
  ].join('\n\n')
}

function forTerminal(message: InboxMessage, { you, now }: { you: string | undefined; now: number }): string {
  const { id, from, sentAt, intent, replyTo, to, answeredBy, held } = message
  const mark = held ? ['held'] : []
  const others = sentToOthers({ to }, you)
  const parts = [from, ago(Date.parse(sentAt), now), intent, ...mark, ...(others ? [`to ${visible(others)}`] : [])]
  const answers = [...(replyTo ? [`answers ${replyTo}`] : []), ...(answeredBy ? [`answered by ${answeredBy}`] : [])]
  return `${[...parts, ...answers].join(' · ')}\n${textOf(message)}\n${id}`
}

/** The text quoted; in its place, and unlike it, a word for one that is withheld. */
function textOf({ held, body }: InboxMessage): string {
  return held && isInsideClaude() ? `  (${withheldText})` : quote(body)
}

function toLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= maxPage) return limit
  throw new InvalidArgumentError(`It must be a number from 1 to ${maxPage}.`)
}
