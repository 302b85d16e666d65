import { formatAddress } from '../../../protocol/projects.ts'
import { count } from '../../../text/spans.ts'
import type { Waiting } from '../../state/query/telegram.ts'
import type { Post } from '../bot.ts'
import { formatted } from '../code.ts'
import { type Html, html, joined } from '../html.ts'
import { quoted, quotedBeginning, safeText } from '../safe-text.ts'
import { beginningOf, splitText } from '../split.ts'

/** Most UTF-16 units of a text in one Telegram message. Telegram takes 4,096 together with the heading. */
const maxText = 3_500

/** Most parts of one text; a longer one is sent as a file. */
const maxParts = 4

/** Most UTF-16 units of a text in a caption, which takes 1,024 in all (core.telegram.org/bots/api#senddocument). */
const maxCaption = 700

/** Most messages in a digest, and most UTF-16 units of each. */
const maxDigest = 10
const maxDigestText = 200

/** Most people named above a message. */
const maxNamed = 5

/** Most bytes of texts in one file. Telegram takes 50 MB; this is as much as people may scroll through. */
const maxFileBytes = 1024 * 1024

/** A message, for all of its recipients in one chat. */
export interface ChatDelivery {
  message: Waiting
  /** Name of each recipient: a mention in the group. */
  people: Html[]
  /** The message in the inbox of each recipient. */
  copies: Waiting[]
}

/** Returns the number of Telegram messages that a message takes; a file is one. */
export function partsOf({ message }: ChatDelivery): number {
  const parts = splitText(safeText(message.body), maxText).length
  return parts > maxParts ? 1 : parts
}

/** Returns part `part` (from 1) of a message. */
export function messagePost(delivery: ChatDelivery, part: number): Post {
  const { message } = delivery
  const text = safeText(message.body)
  const parts = splitText(text, maxText)
  const from = parts.slice(0, part - 1).reduce((sum, { length }) => sum + length, 0)
  const isSilent = message.intent === 'inform'
  if (parts.length > maxParts) {
    const shown = html`${heading(delivery)}\n${quotedBeginning(text, maxCaption)}`
    return { text: shown, isSilent, document: { name: `message-${message.seq}.txt`, content: text } }
  }
  const destination = parts.length > 1 ? html` (${part}/${parts.length})` : html``
  return {
    text: html`${heading(delivery)}${destination}\n${quoted(formatted(text, from, from + parts[part - 1]!.length))}`,
    isSilent: isSilent || part > 1,
  }
}

/** Returns the beginnings of several messages in one Telegram message, and those that it holds: as many as fit, ten at most. */
export function digestPost(deliveries: ChatDelivery[]): { post: Post; deliveries: ChatDelivery[] } {
  const entries: Html[] = []
  const held: ChatDelivery[] = []
  let room = maxText
  for (const delivery of deliveries.slice(0, maxDigest)) {
    const entry = html`${heading(delivery)}\n${quoted(beginningOf(safeText(delivery.message.body).trim(), maxDigestText))}`
    room -= entry.plain.length + 2
    if (held.length > 0 && room < 0) break
    entries.push(entry)
    held.push(delivery)
  }
  const more = deliveries.length > held.length ? ` of ${deliveries.length}` : ''
  const foot = html`<i>Reply with the number in front, such as</i> <code>#${held[0]!.message.seq}</code> <i>on it. /inbox with a number shows one whole.</i>`
  const text = html`<b>${count(held.length, 'message')}${more}</b>\n${joined(entries, '\n')}\n${foot}`
  return { post: { text }, deliveries: held }
}

/** Returns many messages, in full, as one file, and those that it holds. */
export function bundlePost(deliveries: ChatDelivery[]): { post: Post; deliveries: ChatDelivery[] } {
  const held: ChatDelivery[] = []
  const texts: string[] = []
  let bytes = 0
  for (const delivery of deliveries) {
    const text = fileEntry(delivery)
    bytes += Buffer.byteLength(text)
    if (held.length > 0 && bytes > maxFileBytes) break
    held.push(delivery)
    texts.push(text)
  }
  const [first, last] = [held[0]!.message.seq, held.at(-1)!.message.seq]
  const people = new Map(held.flatMap(delivery => delivery.people.map(person => [person.source, person])))
  const senders = new Map<string, number>()
  for (const { message } of held) senders.set(message.from, (senders.get(message.from) ?? 0) + 1)
  const list = [...senders].slice(0, 10).map(([name, n]) => html`${name} (${n})`)
  const from = joined(senders.size > 10 ? [...list, html`${senders.size - 10} others`] : list, ', ')
  const text = html`<b>${count(held.length, 'message')}</b> for ${joined([...people.values()].slice(0, 10), ', ')} in this file, from ${from}.\n<i>Reply with the number in front, such as</i> <code>#${first}</code> <i>on it.</i>`
  return {
    post: { text, document: { name: `messages-${first}-${last}.txt`, content: texts.join('\n') } },
    deliveries: held,
  }
}

function heading({ message, people }: ChatDelivery): Html {
  const urgent = message.intent === 'urgent' ? html` · <b>urgent</b>` : html``
  const shown =
    people.length > maxNamed ? [...people.slice(0, maxNamed), html`${people.length - maxNamed} more`] : people
  return html`<b>${senderOf(message)}</b> → ${joined(shown, ', ')} <code>#${message.seq}</code>${urgent}`
}

/** The sender with the project that its machine claims. */
function senderOf({ from, fromProject }: ChatDelivery['message']): string {
  return formatAddress({ name: from, project: fromProject })
}

function fileEntry({ message, people }: ChatDelivery): string {
  const { seq, intent, sentAt, body } = message
  const to = people.map(person => person.plain).join(', ')
  const lines = safeText(body)
    .split('\n')
    .map(line => `> ${line}`)
  return `#${seq} ${senderOf(message)} → ${to} · ${new Date(sentAt).toISOString()} · ${intent}\n${lines.join('\n')}\n`
}
