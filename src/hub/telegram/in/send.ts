import { createHash } from 'node:crypto'
import { ClaudeNetError } from '../../../protocol/errors.ts'
import { messageIdFor } from '../../../protocol/ids.ts'
import { ago } from '../../../text/spans.ts'
import type { Hub } from '../../hub.ts'
import type { CommandOf, ResultOf } from '../../state/commands.ts'
import { nearestNames } from '../../state/query/find-member.ts'
import { machinesOf } from '../../state/query/members.ts'
import { choiceOf, type Route, routesOf, senderOf } from '../../state/query/telegram.ts'
import { type Html, html } from '../html.ts'
import { projectSince } from '../project-since.ts'
import { whenInWords } from '../quiet.ts'
import type { Sign } from '../signs.ts'
import { type Addressed, isRecipient, mentionIn, parseAddressed, whyNoRecipient } from './addressed.ts'
import type { Context, Received } from './context.ts'

/** Time for which a question with buttons can be answered, in seconds. */
const choiceLifeS = 24 * 3600

/** Time for which a message may be corrected by editing it, in ms. */
const correctableMs = 10 * 60_000

/** The outcome of a command or message. */
export interface Reply {
  /** Reaction to the person's message. */
  sign?: Sign
  text?: Html
  buttons?: { label: string; data: string }[]
  /** Id of the stored message. */
  sent?: string
  /** Ids of the messages that the text shows: a reply to it may answer them. */
  shows?: string[]
  /** A different message was stored under this id before, and stays. */
  isOther?: boolean
}

/** A person's message, before it is sent. */
export interface Draft {
  to: string[]
  body: string
  replyTo?: string
  /** Time to deliver it at, in ms since 1970. */
  at?: number
  /** The bot's Telegram message that it replies to. */
  shownAt?: { chat: number; message: number }
}

/** A stored question with buttons. Any button sends a message with the same `id`, so there is only one. */
interface Choice {
  id: string
  options: { label: string; draft: Draft }[]
}

/** Stores a person's message under the id that it got when it arrived, so handling it again stores nothing new. */
async function sendDraft(context: Context, received: Received, draft: Draft, id = received.id): Promise<Reply> {
  try {
    const { hub } = context
    const sent = await hub.submit({
      type: 'message.send',
      id,
      by: received.person.member,
      ...noted(received, draft),
      mustKnowReply: true,
      // Its time may have passed before it was handled, or before a button was pressed.
      ...(draft.at !== undefined && draft.at <= Date.now() && { wasKept: true as const }),
    })
    const note = sent.at === undefined ? presenceNote(context, sent) : laterNote(received, sent.at, sent.recipients)
    return { sign: 'stored', sent: id, text: note, shows: [id] }
  } catch (error) {
    if (!(error instanceof ClaudeNetError) || error.code === 'unavailable') throw error
    if (error.code === 'conflict') {
      // It was stored before, perhaps with another name or button; report that as stored only if it is theirs.
      if (senderOf(context.hub.state.db, id) === received.person.member)
        return { sign: 'stored', sent: id, isOther: true }
      return { sign: 'failed', text: html`Another message has the id of this one. Nothing was sent: write it again.` }
    }
    if (error.code === 'internal') return { sign: 'failed', text: html`${error.message} ${error.hint}` }
    return { sign: 'unclear', text: html`${error.message} ${error.hint}` }
  }
}

/** Sends a text to names that somebody typed. If one of them is unknown, sends nothing and offers the nearest as buttons. */
export async function sendAddressed(
  context: Context,
  received: Received,
  { names, body, doubt }: Addressed,
  when: Pick<Draft, 'at'> = {},
): Promise<Reply> {
  const { db } = context.hub.state
  const unknown = names.find(name => !isRecipient(db, name))
  if (unknown === undefined && doubt !== undefined && nearestNames(db, doubt).length > 0) {
    const text = html`No member is called '${doubt.slice(0, 64)}'. Nothing was sent. If it is text and not a name, send it:`
    return ask(context, received, text, [{ label: names.join(', ').slice(0, 60), draft: { to: names, body, ...when } }])
  }
  if (unknown === undefined) return sendDraft(context, received, { to: names, body, ...when })
  const { why, nearest: meant } = whyNoRecipient(db, unknown)
  const text = html`${why} Nothing was sent.`
  const nearest = names.length === 1 ? meant : []
  if (nearest.length === 0) return { sign: 'unclear', text: html`${text} /machines lists all.` }
  const drafts = nearest.map(name => ({ label: name, draft: { to: [name], body, ...when } }))
  return ask(context, received, html`${text} Did you mean:`, drafts)
}

/** Sends a person's reply to one of the bot's messages, or to one of their own. */
export async function sendReply(context: Context, received: Received, replyTo: number, text: string): Promise<Reply> {
  const { db } = context.hub.state
  const [, number, rest] = /^#?(\d{1,15})[\s:,]+([\s\S]+)$/.exec(text) ?? []
  const routes = routesOf(db, received.chat, replyTo)
  if (routes.length === 0) {
    const why = html`I no longer know which message this answers.`
    return { sign: 'unclear', text: html`${why} Nothing was sent: write /send NAME and your text.` }
  }
  const [only] = routes.length === 1 ? routes : routes.filter(({ seq }) => seq === Number(number))
  if (only) return sendDraft(context, received, draftFor(received, replyTo, only, routes.length > 1 ? rest! : text))
  const shown = routes.slice(0, 10)
  const drafts = shown.map(route => ({
    label: `#${route.seq} ${route.from}`,
    draft: draftFor(received, replyTo, route, text),
  }))
  return ask(context, received, html`That was ${routes.length} messages. Which one do you answer?`, drafts)
}

/** Handles a pressed button: only the person who was asked may press it. Returns the text to show to whoever pressed it. */
export async function pressButton(
  context: Context,
  received: Received,
  data: string,
): Promise<{ word: string; reply?: Reply }> {
  const [, key = '', index = ''] = /^([\w-]{12}):(\d{1,2})$/.exec(data) ?? []
  const choice = choiceOf(context.hub.state.db, key, Date.now())
  if (!choice) return { word: 'This button has expired.' }
  if (choice.person !== received.person.member) return { word: 'This question was somebody else’s.' }
  const { id, options } = choiceIn(choice.content, key)
  const option = options[Number(index)]
  if (!option) return { word: 'This button has expired.' }
  const reply = await sendDraft(context, received, option.draft, id)
  if (!reply.sent) return { word: reply.text?.plain ?? 'It was not sent.' }
  return { word: reply.isOther ? 'You chose another one before; that was sent.' : `Stored for ${option.label}.`, reply }
}

/**
 * Sends a correction of a stored message, as a new message to the same recipients. Returns undefined if there is none, or it is too old.
 */
export async function sendCorrection(context: Context, received: Received, text: string): Promise<Reply | undefined> {
  const [first] = routesOf(context.hub.state.db, received.chat, received.message)
  if (first?.kind !== 'in' || first.sender !== received.person.member || received.at - first.at > correctableMs)
    return undefined
  const body = `Correction of my message ${first.id}:\n${bodyOf(context, text)}`
  return sendDraft(context, received, { to: JSON.parse(first.named), body })
}

/** Returns the text of a command or reply without its recipients. */
function bodyOf({ hub, bot }: Context, text: string): string {
  const [, command] = /^\/send(?:@\w+)?\s+([\s\S]+)$/i.exec(text) ?? []
  const mention = command === undefined ? mentionIn(text, bot.username) : undefined
  const rest = command ?? (mention && (mention.behind || mention.before))
  return (rest && parseAddressed(rest, name => isRecipient(hub.state.db, name))?.body) ?? text
}

/** Appends the note on its attachment to a draft. */
function noted({ note }: Received, draft: Draft): Draft {
  return note === undefined ? draft : { ...draft, body: `${draft.body}\n${note}` }
}

/** Drafts a reply to the message that the Telegram message `shown` shows. A reply to one's own message goes to its recipients. */
function draftFor(
  { person, chat }: Received,
  shown: number,
  { kind, id, sender, from, named }: Route,
  body: string,
): Draft {
  if (kind === 'in' || sender === person.member) return { to: JSON.parse(named) as string[], body }
  return { to: [from], body, replyTo: id, shownAt: { chat, message: shown } }
}

/** Returns the key of a button: short, and the same for the same seed. */
function buttonKey(seed: string): string {
  return createHash('sha256').update(`button:${seed}`).digest('base64url').slice(0, 12)
}

async function ask(
  context: Context,
  received: Received,
  text: Html,
  options: { label: string; draft: Draft }[],
): Promise<Reply> {
  const key = buttonKey(received.id)
  const choice: Choice = {
    id: received.id,
    options: options.map(each => ({ ...each, draft: noted(received, each.draft) })),
  }
  await context.hub.submit({
    type: 'telegram.ask',
    key,
    person: received.person.member,
    content: JSON.stringify(choice),
    lifeS: choiceLifeS,
  })
  return { sign: 'unclear', text, buttons: options.map(({ label }, index) => ({ label, data: `${key}:${index}` })) }
}

/** Says when a scheduled message goes out, and which recipients refuse it. */
function laterNote(
  { person }: Received,
  at: number,
  recipients: ResultOf<CommandOf<'message.send'>>['recipients'],
): Html {
  const named = (status: string) => recipients.filter(each => each.status === status).map(({ name }) => name)
  const refusing = named('refused').slice(0, 10)
  const refused = refusing.length > 0 ? html` ${refusing.join(', ')}: takes no messages now.` : html``
  const more = named('later').length > 10 ? html` and ${named('later').length - 10} more` : html``
  const whom = named('later').slice(0, 10).join(', ')
  return html`Goes out to ${whom}${more} at ${whenInWords(at, person.settings.timezone)}.${refused} /later lists what waits.`
}

/**
 * Says that all recipients are offline, so that the message waits, or that somebody cannot be reached. Undefined while somebody reads it.
 */
function presenceNote({ hub }: Context, { recipients }: ResultOf<CommandOf<'message.send'>>): Html | undefined {
  const refused = recipients.filter(({ status }) => status === 'refused')
  const away = recipients.filter(({ member, kind, status, project }) => {
    return status === 'stored' && kind === 'machine' && !isOnline(hub, member, project)
  })
  const unreachable = recipients.filter(({ member, kind, status }) => {
    const { online, lastSeenAt } = hub.presence.of(member)
    return status === 'stored' && kind === 'human' && !hub.onTelegram.has(member) && !online && lastSeenAt === null
  })
  const areAllAway = away.length + unreachable.length === recipients.length
  if (refused.length + unreachable.length === 0 && !areAllAway) return undefined
  const notes = [
    ...refused.slice(0, 10).map(({ reason }) => reason ?? ''),
    ...unreachable.slice(0, 3).map(({ member, name }) => {
      const machines = machinesOf(hub.state.db, member, 3)
      const whose =
        machines.length > 1 ? `their machines are ${machines.join(', ')}` : `their machine is ${machines[0]}`
      return `${name} is not on Telegram${machines.length > 0 ? `; ${whose}` : ', and has no machine'}.`
    }),
    ...(areAllAway ? away : []).slice(0, 3).map(({ member, name, project }) => {
      if (project !== undefined)
        return `${name}: ${projectSince(hub, member, { name, project }, Date.now())}; it waits there.`
      const { lastSeenAt } = hub.presence.of(member)
      const since = lastSeenAt === null ? 'no session yet' : `no session since ${ago(lastSeenAt, Date.now())}`
      return `${name}: ${since}; it waits there.`
    }),
  ]
  return html`${notes.join(' ')}`
}

/** Reports whether the machine, or this project of it, has a session that reads its messages. */
function isOnline({ presence }: Hub, member: number, project: string | undefined): boolean {
  return project === undefined ? presence.of(member).online : presence.sessionCounts(member).ofProjects.has(project)
}

/** Parses a stored question. Hubs up to 0.1.0 stored the options alone, and derived the id from the key. */
function choiceIn(content: string, key: string): Choice {
  const kept = JSON.parse(content) as Choice | Choice['options']
  return Array.isArray(kept) ? { id: messageIdFor(`telegram choice ${key}`), options: kept } : kept
}
