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
  for (const { name, reason } of refused.slice(0, maxLines))
    lines.push(`Refused for ${name}: ${visibleLine(reason ?? 'no reason given', 200)}`)
  if (refused.length > maxLines)
    lines.push(`Refused for ${refused.length - maxLines} more: claude-net history says why.`)
  for (const { name, machines = [] } of stored.filter(isUnheard).slice(0, maxLines))
    lines.push(unheardText(name, machines))
  return lines.join('\n')
}

/** Most lines of one kind, and most names in one, so that a send to everybody has a short answer too. */
const maxLines = 10
const maxNames = 50

/** Whether nobody tells this recipient: a person whom no Telegram reaches, and who has no session. */
function isUnheard({ kind, telegram, online, lastSeenAt }: SentTo): boolean {
  return kind === 'human' && telegram === false && !online && lastSeenAt === null
}

function unheardText(name: string, machines: readonly string[]): string {
  const whose = machines.length > 0 ? ` Write to ${machines.join(' or ')} instead.` : ''
  return `Nobody tells ${name} of it.${whose}`
}

/** Who is online, who was seen when: one line for all who are alike, so that a broadcast stays short. */
function grouped(recipients: SentTo[], now: number): string[] {
  const byState = new Map<string, string[]>()
  for (const recipient of recipients) {
    const state = presenceInWords(recipient, now)
    byState.set(state, [...(byState.get(state) ?? []), recipient.name])
  }
  const lines = [...byState].map(([state, names]) => {
    const more = names.length > maxNames ? ` and ${names.length - maxNames} more` : ''
    return `${state}: ${names.slice(0, maxNames).join(', ')}${more}`
  })
  return lines.length > maxLines ? [...lines.slice(0, maxLines), 'and more: claude-net machines lists all'] : lines
}

function keptText({ id, waiting, why, behind }: Extract<Sent, { kept: true }>): string {
  const others = waiting > 1 ? ` ${count(waiting, 'message')} wait here, this one last.` : ''
  const kept = behind
    ? 'Kept on this machine behind earlier mail; it goes out by itself'
    : 'Kept on this machine; it goes out when the hub is back'
  return `${kept}, so do not send it again. Message ${id}.\nWhy: ${why}${others}`
}
