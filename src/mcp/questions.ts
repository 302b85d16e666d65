import type { MessageWithReceipts } from '../protocol/messages.ts'
import { messagesRoutes } from '../protocol/routes/messages.ts'
import { gatherInWords } from '../text/gather.ts'
import { ago } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import type { Line } from './line.ts'

/** The questions to several of the reader's own, by their ids. */
export type Questions = ReadonlyMap<string, MessageWithReceipts>

/** Most questions that are looked up for one answer: answers to others stand where they came. */
const maxQuestions = 5

/** Looks up which of these messages answer a question to several that the reader asked. One that cannot be looked up now is left out. */
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

/** The messages in their order, but all answers to one question together, where the first of them stood. */
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

/** One line: which question, and how far it has come. */
export function questionLine({ message, receipts }: MessageWithReceipts, now: number): string {
  const { id, sentAt, body } = message
  const beginning = visibleLine(body.trimStart().split('\n')[0]!, 60)
  return `Your question ${id}, ${ago(Date.parse(sentAt), now)} (> ${beginning}): ${gatherInWords(receipts, now)}.`
}
