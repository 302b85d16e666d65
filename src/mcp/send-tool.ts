import type { Sent } from '../client/outbox.ts'
import type { SendAnswer, SendRequest, SentTo } from '../protocol/messages.ts'
import { formatAddress } from '../protocol/projects.ts'
import { presenceInWords } from '../text/presence.ts'
import { count } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import { momentInWords } from '../text/zone.ts'

/** Returns the outcome of a send, in words that promise no more than is known. */
export function sentText(sent: Sent, now: number): string {
  return sent.kept ? keptText(sent) : storedText(sent.answer, now)
}

function storedText({ id, at, recipients }: SendAnswer, now: number): string {
  const stored = recipients.filter(({ status }) => status === 'stored')
  const [only] = stored
  if (at !== undefined) return laterText(id, recipients)
  const lines =
    stored.length === 1 && only
      ? [`Stored for ${formatAddress(only)} (${presenceInWords(only, now)}). Message ${id}.`]
      : [`Stored for ${count(stored.length, 'recipient')}. Message ${id}.`, ...grouped(stored, now)]
  lines.push(...refusedLines(recipients))
  for (const { name, machines = [] } of stored.filter(isUnheard).slice(0, maxLines))
    lines.push(unheardText(name, machines))
  return lines.join('\n')
}

/** Returns the outcome for a scheduled message that is not due yet. */
function laterText(id: string, recipients: SentTo[]): string {
  const names = recipients.filter(({ status }) => status === 'later').map(formatAddress)
  const more = names.length > maxNames ? ` and ${names.length - maxNames} more` : ''
  return [
    `Stored on the hub for later, for ${names.slice(0, maxNames).join(', ')}${more}; in no inbox yet. Message ${id}.`,
    ...refusedLines(recipients),
    `claude-net later cancel ${id} cancels it until then.`,
  ].join('\n')
}

/** Returns the exact times of delivery and expiry, a line each. */
export function timingLines(
  sent: Sent,
  { at, expiresInS, timeZone, now }: Pick<SendRequest, 'at' | 'expiresInS'> & { timeZone: string; now: number },
): string[] {
  const due = at === undefined ? undefined : Date.parse(sent.kept ? at : (sent.answer.at ?? sent.answer.sentAt))
  const from = due ?? (sent.kept ? now : Date.parse(sent.answer.sentAt))
  return [
    ...(due === undefined ? [] : [`Delivery: ${momentInWords(due, timeZone, now)}.`]),
    ...(expiresInS === undefined
      ? []
      : [`Expires unless it is acked: ${momentInWords(from + expiresInS * 1000, timeZone, now)}.`]),
  ]
}

/** Most lines of one kind, and most names in one line, so that the result of a send to everybody stays short. */
const maxLines = 10
const maxNames = 50

/** Reports whether nothing notifies this recipient: a human without Telegram and without a session. */
function isUnheard({ kind, telegram, online, lastSeenAt }: SentTo): boolean {
  return kind === 'human' && telegram === false && !online && lastSeenAt === null
}

function refusedLines(recipients: SentTo[]): string[] {
  const refused = recipients.filter(({ status }) => status === 'refused')
  const more = refused.length - maxLines
  return [
    ...refused
      .slice(0, maxLines)
      .map(
        ({ reason, ...recipient }) =>
          `Refused for ${formatAddress(recipient)}: ${visibleLine(reason ?? 'no reason given', 200)}`,
      ),
    ...(more > 0 ? [`Refused for ${more} more: claude-net history says why.`] : []),
  ]
}

function unheardText(name: string, machines: readonly string[]): string {
  const whose = machines.length > 0 ? ` Write to ${machines.join(' or ')} instead.` : ''
  return `${name} is not notified of it.${whose}`
}

/** Lists presence, with one line for all recipients in the same state, so that a broadcast stays short. */
function grouped(recipients: SentTo[], now: number): string[] {
  const byState = new Map<string, string[]>()
  for (const recipient of recipients) {
    const state = presenceInWords(recipient, now)
    byState.set(state, [...(byState.get(state) ?? []), formatAddress(recipient)])
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
    ? 'Kept on this machine behind earlier messages; it goes out by itself'
    : 'Kept on this machine; it goes out when the hub is back'
  return `${kept}, so do not send it again. Message ${id}.\nWhy: ${why}${others}`
}
