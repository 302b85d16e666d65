import { type Clock, readMoment } from '../../../text/moment.ts'
import { count } from '../../../text/spans.ts'
import { ownZone } from '../../../text/zone.ts'
import { laterOf, type WaitingLater } from '../../state/query/later.ts'
import { type Html, html, joined } from '../html.ts'
import { whenInWords } from '../quiet.ts'
import { safeText } from '../safe-text.ts'
import { isRecipient, parseAddressed } from './addressed.ts'
import type { Context, Received } from './context.ts'
import { type Reply, sendAddressed } from './send.ts'

export const laterUsage = '/later tomorrow 9:00 NAME TEXT, /later, or /later cancel NUMBER'

/** Most words of a time: `in 1 h 30 min`. */
const maxTimeWords = 5

/** Most messages in the list, and most characters shown of each. */
const maxListed = 20
const maxBeginning = 60

/** Runs `/later`: stores a message for a later time, lists those that wait, or cancels one. */
export function later(context: Context, received: Received, rest: string): Promise<Reply> | Reply {
  if (rest === '') return waiting(context, received)
  const [, seq] = /^cancel\s+#?(\d{1,15})$/i.exec(rest) ?? []
  if (seq !== undefined) return cancel(context, received, Number(seq))
  const found = splitTime(rest, clockOf(received))
  if (typeof found === 'string') return { sign: 'unclear', text: html`${found}. Nothing was sent.` }
  const parsed = parseAddressed(found.behind, name => isRecipient(context.hub.state.db, name))
  if (!parsed) return { sign: 'unclear', text: html`Usage: <code>${laterUsage}</code>. Nothing was sent.` }
  return sendAddressed(context, received, parsed, { at: found.at })
}

/** Resolves times against the moment of storing, so handling an update twice gives the same time. */
function clockOf({ at, person }: Received): Clock {
  return { now: at, timeZone: person.settings.timezone ?? ownZone() }
}

/** Splits a text into the time at its beginning, of as many words as possible, and the rest. Returns an error sentence without one. */
function splitTime(text: string, clock: Clock): { at: number; behind: string } | string {
  const ends = [...text.matchAll(/\S+/g)].slice(0, maxTimeWords).map(({ 0: word, index }) => index + word.length)
  for (const end of ends.toReversed()) {
    try {
      const { at } = readMoment(text.slice(0, end), clock)
      return { at, behind: text.slice(end).replace(/^[\s,:]+/, '') }
    } catch {
      // Fewer words may be a time.
    }
  }
  try {
    readMoment(text.slice(0, ends[1] ?? ends[0]), clock)
    return 'that is not a time'
  } catch (error) {
    return (error as Error).message
  }
}

function waiting({ hub }: Context, received: Received): Reply {
  const all = laterOf(hub.state.db, received.person.member)
  if (all.length === 0) return { text: html`Nothing of yours waits for later.` }
  const lines = all.slice(0, maxListed).map(message => line(message, received))
  const more = all.length > maxListed ? html`\n${all.length - maxListed} more.` : html``
  return { text: html`<b>${count(all.length, 'message')}</b> for later:\n${joined(lines, '\n')}${more}` }
}

function line({ seq, to, at, body }: WaitingLater, received: Received): Html {
  const beginning = [...safeText(body).trim().split('\n')[0]!].slice(0, maxBeginning).join('')
  return html`<code>#${seq}</code> → <b>${to.join(', ').slice(0, 100)}</b>, ${whenInWords(at, received.person.settings.timezone)}: ${beginning}`
}

async function cancel({ hub }: Context, { person }: Received, seq: number): Promise<Reply> {
  const found = laterOf(hub.state.db, person.member).find(message => message.seq === seq)
  if (!found)
    return { sign: 'unclear', text: html`Nothing of yours with the number ${seq} waits. /later lists what does.` }
  await hub.submit({ type: 'later.cancel', by: person.member, id: found.id })
  return { text: html`It does not go out.` }
}
