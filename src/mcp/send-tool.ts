import type { Sent } from '../client/outbox.ts'
import type { SendAnswer, SentTo } from '../protocol/messages.ts'
import { presenceInWords } from '../text/presence.ts'
import { count } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'

/** What came of a send, in words that promise no more than is known. */
export function sentText(sent: Sent, now: number): string {
  return sent.kept ? keptText(sent) : storedText(sent.answer, now)
}

function storedText({ id, recipients }: SendAnswer, now: number): string {
  const stored = recipients.filter(({ status }) => status === 'stored')
  const refused = recipients.filter(({ status }) => status === 'refused')
  const [only] = stored
  const lines =
    stored.length === 1 && only
      ? [`Stored for ${only.name} (${presenceInWords(only, now)}). Message ${id}.`]
      : [`Stored for ${count(stored.length, 'recipient')}. Message ${id}.`, ...grouped(stored, now)]
  for (const { name, reason } of refused)
    lines.push(`Refused for ${name}: ${visibleLine(reason ?? 'no reason given', 200)}`)
  return lines.join('\n')
}

/** Who is online, who was seen when: one line for all who are alike, so that a broadcast stays short. */
function grouped(recipients: SentTo[], now: number): string[] {
  const byState = new Map<string, string[]>()
  for (const recipient of recipients) {
    const state = presenceInWords(recipient, now)
    byState.set(state, [...(byState.get(state) ?? []), recipient.name])
  }
  return [...byState].map(([state, names]) => `${state}: ${names.join(', ')}`)
}

function keptText({ id, waiting, why }: Extract<Sent, { kept: true }>): string {
  const others = waiting > 1 ? ` ${count(waiting, 'message')} wait here, this one last.` : ''
  return `Kept on this machine; it goes out when the hub is back, so do not send it again. Message ${id}.\nWhy: ${why}${others}`
}
