import type { Receipt } from '../../protocol/messages.ts'
import { gatherInWords } from '../../text/gather.ts'
import { receiptInWords } from '../../text/receipts.ts'
import { visibleLine } from '../../text/visible.ts'
import type { Tone } from '../ui/badge.tsx'
import type { Shown } from './conversation.ts'

/** Returns the state of a message in one line and a tone: that of its one recipient, or the count of recipients in each state. */
export function standing({ receipts, intent }: Shown, now: number): { words: string; tone: Tone } | undefined {
  if (receipts.length === 0) return undefined
  const wantsAnswer = intent !== 'inform'
  if (receipts.length === 1) {
    return { words: receiptInWords(receipts[0]!, wantsAnswer, now), tone: toneOf(receipts[0]!, wantsAnswer) }
  }
  if (wantsAnswer) {
    const isOpen = receipts.some(receipt => receipt.answeredAt === undefined && receipt.status !== 'refused')
    return { words: gatherInWords(receipts, now), tone: isOpen ? 'info' : 'good' }
  }
  const counts = (['acked', 'fetched', 'stored', 'expired', 'refused'] as const).flatMap(status => {
    const count = receipts.filter(receipt => receipt.status === status).length
    return count === 0 ? [] : [`${count} ${status === 'fetched' ? 'shown' : status}`]
  })
  const isBad = receipts.some(({ status }) => status === 'refused' || status === 'expired')
  return { words: `${receipts.length} recipients: ${counts.join(', ')}`, tone: isBad ? 'bad' : 'quiet' }
}

export function toneOf({ status, answeredAt, heldSince }: Receipt, wantsAnswer: boolean): Tone {
  if (status === 'refused' || status === 'expired') return 'bad'
  if (answeredAt || (status === 'acked' && !wantsAnswer)) return 'good'
  if (heldSince) return 'warn'
  return status === 'stored' ? 'quiet' : 'info'
}

/** Returns the kind of a member as the console shows it. */
export function kindInWords(kind: string): string {
  return kind === 'human' ? 'person' : kind
}

/** Returns the first words of a text, in one line. */
export function beginningLine(body: string, max = 90): string {
  return visibleLine(body.slice(0, 4 * max), max)
}

/** Reports whether the message is unread in the inbox of `of`. */
export function isUnreadBy({ receipts, from }: Shown, of: string): boolean {
  if (from === of) return false
  return receipts.some(({ name, status }) => name === of && (status === 'stored' || status === 'fetched'))
}
