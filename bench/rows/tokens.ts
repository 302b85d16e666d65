import { inboxText } from '../../src/mcp/inbox-text.ts'
import { instructions } from '../../src/mcp/instructions.ts'
import { sentText } from '../../src/mcp/send-tool.ts'
import { toolList } from '../../src/mcp/tool-list.ts'
import { wakeText } from '../../src/notice/notice-text.ts'
import type { InboxMessage, MessageWithReceipts, SendAnswer } from '../../src/protocol/messages.ts'
import { gatherInWords } from '../../src/text/gather.ts'
import type { Row } from '../row.ts'

const now = Date.parse('2026-11-27T14:00:00.000Z')
const sentAt = new Date(now - 60_000).toISOString()
const id = (n: number) => `01a21a84-1e08-76b7-9782-${String(n).padStart(12, '0')}`
const names = ['ana', 'ben', 'cat', 'dan', 'eve', 'fay']
const question = 'Who can review the migration before noon?'

/**
 * Counts the tokens, of four characters each, that tool results and notices cost a session. The yardstick is the same without gathering.
 */
export async function tokens(): Promise<Row[]> {
  const answers = names.map((name, n) => answerOf(name, n))
  const page = { you: 'seanclaude', unread: answers.length, now, keepWhole: () => '' }
  const [one] = answers
  const inbox = (messages: InboxMessage[], questions = new Map<string, MessageWithReceipts>()) =>
    inboxText({ ...page, messages, unread: messages.length, questions }).text
  const asked = askedAs(answers)
  const mail = answers.map(message => ({ ...message, kind: 'mail' as const, sentAt: now, beginning: message.body }))
  const summary = gatherInWords(asked.receipts, now)
  const gathered = { kind: 'gathered' as const, id: asked.message.id, seq: 0, beginning: question, summary }
  return [
    row('tools/list', 1000, JSON.stringify(toolList)),
    row('instructions of the tools', 512, instructions),
    row('answer of a send to one', 40, sentText(sentTo(1), now)),
    row('answer of a send to six', 70, sentText(sentTo(6), now)),
    row('inbox, empty', 20, inbox([])),
    row('inbox, one short message', 175, inbox([{ ...one!, replyTo: undefined }])),
    row(
      'inbox, six answers to one question',
      500,
      inbox(answers, new Map([[asked.message.id, asked]])),
      inbox(answers),
    ),
    row('wake for six answers (yardstick: six wakes)', 350, wakeText([gathered, ...mail], now), sixWakes(mail)),
  ]
}

function sixWakes(mail: Parameters<typeof wakeText>[0]): string {
  return mail.map(each => wakeText([each], now)).join('')
}

/** Returns a row with one figure, and the figure without gathering if that differs. */
function row(what: string, atMost: number, text: string, before?: string): Row {
  const [measured, yardstick] = [text, before].map(each => each && Math.ceil(each.length / 4))
  const ratio = yardstick && (measured as number) / (yardstick as number)
  return {
    what: `tokens: ${what}`,
    budget: { of: 'measured', atMost },
    unit: 'tokens',
    figures: {
      measured: measured as number,
      ...(yardstick && { yardstick: yardstick as number, ratio: ratio as number }),
    },
  }
}

function answerOf(from: string, n: number): InboxMessage {
  const body = 'I can, at eleven.'
  return {
    id: id(n + 1),
    seq: n,
    from,
    fromKind: 'machine',
    to: ['seanclaude'],
    sentAt,
    replyTo: id(0),
    intent: 'inform',
    body,
  }
}

function askedAs(answers: InboxMessage[]): MessageWithReceipts {
  const reach = { kind: 'machine' as const, online: true, lastSeenAt: sentAt }
  return {
    message: {
      id: id(0),
      seq: 0,
      from: 'seanclaude',
      fromKind: 'machine',
      to: ['all'],
      sentAt,
      intent: 'request',
      body: question,
    },
    receipts: answers.map(answer => ({
      ...reach,
      name: answer.from,
      status: 'acked',
      answeredAt: sentAt,
      answerId: answer.id,
    })),
    gather: { of: answers.length, answered: answers.length, open: false, leftMs: 0 },
  }
}

function sentTo(count: number): { kept: false; answer: SendAnswer } {
  const recipients = names
    .slice(0, count)
    .map(name => ({ name, kind: 'machine' as const, status: 'stored' as const, online: true, lastSeenAt: sentAt }))
  return { kept: false, answer: { id: id(0), seq: 1, sentAt, recipients } }
}
