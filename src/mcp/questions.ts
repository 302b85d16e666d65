import type { MessageWithReceipts } from '../protocol/messages.ts'
import { messagesRoutes } from '../protocol/routes/messages.ts'
import { gatherInWords } from '../text/gather.ts'
import { ago } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import type { Line } from './line.ts'

/** The reader's own questions to several, by their ids. */
export type Questions = ReadonlyMap<string, MessageWithReceipts>

/** Most questions that are looked up for one result; answers to further questions stay ungrouped. */
const maxQuestions = 5

/** Looks up which of these messages answer one of the reader's questions to several. A question whose lookup fails is left out. */
export async function questionsOf(
  client: Line['client'],
  messages: readonly { replyTo?: string }[],
): Promise<Questions> {
  const ids = [...new Set(messages.flatMap(({ replyTo }) => replyTo ?? []))].slice(0, maxQuestions)
  const found = await Promise.all(
    ids.map(id => client.call(messagesRoutes.getMessage, { params: { id } }).catch(() => undefined)),
  )
  return new Map(found.flatMap(each => (each?.gather ? [[each.message.id, each] as const] : [])))
}

/** Returns the messages in their order, except that all answers to one question follow the first of them. */
export function underQuestions<M extends { replyTo?: string }>(
  messages: readonly M[],
  questions: Questions,
): { question?: MessageWithReceipts; messages: M[] }[] {
  const groups: { question?: MessageWithReceipts; messages: M[] }[] = []
  for (const message of messages) {
    const question = message.replyTo === undefined ? undefined : questions.get(message.replyTo)
    const group = question && groups.find(each => each.question === question)
    if (group) group.messages.push(message)
    else groups.push({ ...(question && { question }), messages: [message] })
  }
  return groups
}

/** Returns a line with the question and the state of its answers. */
export function questionLine({ message, receipts }: MessageWithReceipts, now: number): string {
  const { id, sentAt, body } = message
  const beginning = visibleLine(body.trimStart().split('\n')[0]!, 60)
  return `Your question ${id}, ${ago(Date.parse(sentAt), now)} (> ${beginning}): ${gatherInWords(receipts, now)}.`
}
