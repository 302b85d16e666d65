import { Command, InvalidArgumentError } from 'commander'
import { projectNameOf } from '../client/project/project-name.ts'
import { elsewhereText, overtakenText, quote, writtenText } from '../mcp/inbox-text.ts'
import { type Questions, questionLine, questionsOf, underQuestions } from '../mcp/questions.ts'
import { api } from '../protocol/api.ts'
import { type InboxAnswer, type InboxMessage, maxPage, sentToOthers } from '../protocol/messages.ts'
import { formatAddress } from '../protocol/projects.ts'
import { ago, count } from '../text/spans.ts'
import { visible } from '../text/visible.ts'
import { asMachine } from './as-machine.ts'
import { printWhole } from './output.ts'
import { scopeHere } from './scope-here.ts'
import { isInsideClaude, withheld, withheldText } from './withheld.ts'

interface InboxOptions {
  all?: boolean
  project?: string
  limit?: number
  ack?: boolean
  json?: boolean
}

export function inboxCommand(): Command {
  return new Command('inbox')
    .description('Show unread messages, oldest first')
    .option('--all', 'Show messages for every project of this machine')
    .option('--project <name>', 'Show messages for this project and for no project, from any directory', toProject)
    .option('--limit <n>', `Show at most n messages (default and maximum ${maxPage})`, toLimit)
    .option('--ack', 'Mark the shown messages as read')
    .option('--json', 'Print JSON')
    .addHelpText(
      'after',
      '\nIn the directory of a project it shows messages for that project and for no project; elsewhere, only those for no project.',
    )
    .action(({ all, project: named, limit, ack, json }: InboxOptions) =>
      asMachine({ json }, async ({ client, config, home }) => {
        const project = all ? undefined : (named ?? scopeHere(home, config))
        const read = await client.call(api.readInbox, { query: { limit, project } })
        const answer = { ...read, messages: read.messages.map(message => withheld(message)) }
        const questions = json ? new Map() : await questionsOf(client, answer.messages)
        await printWhole({ json }, answer, () => inboxForTerminal(answer, questions, client.now()))
        // Withheld messages are not marked as fetched, and stay unread.
        const given = answer.messages.filter(({ held }) => !held || !isInsideClaude())
        const ids = given.map(({ id }) => id)
        // Marked only now that the output was written.
        if (ids.length > 0)
          await client.call(api.markFetched, { body: { ids, session: `cli-${process.pid}`, project } })
        if (ids.length > 0 && ack) await client.call(api.ackInbox, { body: { ids, project } })
      }),
    )
}

function inboxForTerminal(
  { you, messages, unread, more, elsewhere }: InboxAnswer,
  questions: Questions,
  now: number,
): string {
  const others = elsewhereText(elsewhere)
  const strays = others ? [`${others} To see all: claude-net inbox --all`] : []
  if (messages.length === 0) return ['No unread messages.', ...strays].join('\n\n')
  const rest = [...(more > 0 ? [`${more} more unread.`] : []), ...strays]
  return [
    `${count(unread, 'unread message')}.`,
    ...underQuestions(messages, questions).flatMap(({ question, messages: group }) => [
      ...(question ? [questionLine(question, now)] : []),
      ...group.map(message => forTerminal(message, { you, now })),
    ]),
    ...rest,
  ].join('\n\n')
}

/** One message: who, when and what for, then the quoted text, then its id. */
export function forTerminal(message: InboxMessage, { you, now }: { you: string | undefined; now: number }): string {
  const { id, from, fromProject, project, sentAt, intent, replyTo, to, answeredBy, held } = message
  const mark = held ? ['held'] : []
  const others = sentToOthers({ to }, you)
  const sender = formatAddress({ name: from, project: fromProject })
  const whose = [...(project ? [`for ${project}`] : []), ...(others ? [`to ${visible(others)}`] : [])]
  const parts = [sender, ago(Date.parse(sentAt), now), intent, ...mark, ...whose]
  const answers = [...(replyTo ? [`answers ${replyTo}`] : []), ...(answeredBy ? [`answered by ${answeredBy}`] : [])]
  const marks = [...writtenText(message, now), ...overtakenText(message)]
  return `${[...parts, ...answers, ...marks].join(' · ')}\n${textOf(message)}\n${id}`
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

function toProject(text: string): string {
  const name = projectNameOf(text)
  if (name !== undefined) return name
  throw new InvalidArgumentError('It must be the name of a project.')
}
