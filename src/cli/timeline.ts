import type { MessageWithReceipts } from '../protocol/messages.ts'
import { formatAddress } from '../protocol/projects.ts'
import { gatherInWords } from '../text/gather.ts'
import { receiptInWords, stepsOf } from '../text/receipts.ts'
import { largestUnit } from '../text/spans.ts'

/** Returns the steps of one message in order of time, and its present state for each recipient. */
export function timelineInWords({ message, receipts, gather }: MessageWithReceipts, now: number): string {
  const sentAt = Date.parse(message.sentAt)
  const steps = receipts
    .flatMap(receipt => stepsOf({ ...receipt, name: formatAddress(receipt) }, sentAt))
    .map(({ at, who, what }) => ({ at, what: `${who}: ${what}` }))
    .sort((a, b) => a.at - b.at)
  const wantsAnswer = message.intent !== 'inform'
  const standing = receipts.map(receipt => `  ${formatAddress(receipt)}: ${receiptInWords(receipt, wantsAnswer, now)}`)
  return [
    ...[{ at: sentAt, what: `sent by ${message.from}` }, ...steps].map(({ at, what }) => `  ${stamp(at)}  ${what}`),
    'Now:',
    ...standing,
    ...(gather ? [`  ${gatherInWords(receipts, now)}; ${isWaited(gather)}`] : []),
  ].join('\n')
}

function isWaited({ open, leftMs }: NonNullable<MessageWithReceipts['gather']>): string {
  return open ? `answers are gathered for ${largestUnit(leftMs)} more` : 'no further answers are awaited'
}

/** On the clock of this machine: `2026-11-27 14:02:03`. */
function stamp(ms: number): string {
  const at = new Date(ms)
  const two = (n: number) => String(n).padStart(2, '0')
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
}
