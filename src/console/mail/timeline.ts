import type { MessageWithReceipts } from '../../protocol/messages.ts'
import { type Step, stepsOf } from '../../text/receipts.ts'

/** One step of a message. */
export interface LifeStep {
  /** In ms since 1970. */
  at: number
  kind: Step['kind'] | 'written' | 'sent'
  /** The recipient's address; undefined for steps of the sender. */
  who?: string
  what: string
  /** The message that answers it. */
  answerId?: string
}

/** Returns the steps of a message in order of time: scheduled, sent, and its states at each recipient. */
export function lifeOf({ message, receipts }: MessageWithReceipts): LifeStep[] {
  const sentAt = Date.parse(message.sentAt)
  const head: LifeStep[] = [
    ...(message.writtenAt === undefined
      ? []
      : [
          {
            at: Date.parse(message.writtenAt),
            kind: 'written' as const,
            what: `scheduled by ${message.from}`,
          },
        ]),
    {
      at: sentAt,
      kind: 'sent',
      what: message.writtenAt === undefined ? `sent by ${message.from}` : 'sent as scheduled',
    },
  ]
  const steps = receipts.flatMap(receipt => {
    const name = receipt.project === undefined ? receipt.name : `${receipt.name}/${receipt.project}`
    return stepsOf({ ...receipt, name }, sentAt).map(
      (step): LifeStep =>
        step.kind === 'answered' && receipt.answerId !== undefined
          ? { ...step, what: 'answered', answerId: receipt.answerId }
          : step,
    )
  })
  // A stable sort: steps of the same millisecond keep their order.
  return [...head, ...steps.sort((a, b) => a.at - b.at)]
}
