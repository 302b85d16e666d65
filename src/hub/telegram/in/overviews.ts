import { formatAddress } from '../../../protocol/projects.ts'
import { version } from '../../../protocol/version.ts'
import { presenceInWords } from '../../../text/presence.ts'
import { ago, count } from '../../../text/spans.ts'
import { visibleLine } from '../../../text/visible.ts'
import { memberMeant } from '../../state/query/find-member.ts'
import { allMembers, type MemberInfo } from '../../state/query/members.ts'
import { messageFor } from '../../state/query/messages.ts'
import { failedMail, mailCount, messageIdAt, mutesOf, newestUnread, ownedMachines } from '../../state/query/telegram.ts'
import { type Html, html, joined } from '../html.ts'
import { isQuiet } from '../quiet.ts'
import { quotedBeginning, safeText } from '../safe-text.ts'
import type { Context, Received } from './context.ts'

/** Most lines of a list, so that it fits into one message. */
const maxLines = 40

/** Most projects listed for one machine. */
const maxProjects = 5

/** Most UTF-16 units shown of one message. */
const maxWhole = 3_300

/** A text that shows messages, and their ids: a reply to it may answer them. */
export interface View {
  text: Html
  shows: string[]
}

/** Lists every machine, with the unread count of the person's own. */
export function machines({ hub }: Context, { person }: Received): Html {
  const all = allMembers(hub.state.db).filter(({ kind }) => kind === 'machine')
  if (all.length === 0) return html`There are no machines yet.`
  const lines = all.slice(0, maxLines).map(machine => {
    const own = machine.owner === person.name ? html`, ${machine.unread} unread` : html``
    return html`${mark(hub, machine)} <b>${machine.name}</b>: ${presence(hub, machine)}${projects(hub, machine)}${own}`
  })
  const more = all.length > maxLines ? [html`and ${all.length - maxLines} more`] : []
  return joined([...lines, ...more], '\n')
}

/**
 * Lists the messages waiting for the person, and the newest three unread ones of each of their machines, or of `only`. Shows texts in
 * private only.
 */
export function inboxes({ hub }: Context, received: Received, only: string): View {
  const { person, isPrivate } = received
  const { db } = hub.state
  const now = Date.now()
  const meant = only === '' ? undefined : memberMeant(db, only)
  const own = ownedMachines(db).filter(
    ({ owner, machine }) => owner === person.member && (only === '' || machine === meant?.id),
  )
  if (only !== '' && own.length === 0)
    return { text: html`${only.slice(0, 64)} is not one of your machines.`, shows: [] }
  const shows: string[] = []
  const entries = own.map(({ machine, name, unread }) => {
    const heads = newestUnread(db, machine, 3).map(({ id, from, fromProject, project, seq, sentAt, body }) => {
      shows.push(id)
      const text = isPrivate ? html`: ${visibleLine(safeText(body), 200)}` : html``
      const whose = project === null ? '' : ` for ${project}`
      return html`<code>#${seq}</code> from ${formatAddress({ name: from, project: fromProject })}${whose}, ${ago(sentAt, now)}${text}`
    })
    return joined([html`<b>${name}</b>: ${count(unread, 'unread message')}`, ...heads], '\n')
  })
  if (only !== '') return { text: joined(entries, '\n'), shows }
  const held = mailCount(db, person.member).count
  const quiet = isQuiet(person.settings, now) ? ' It is quiet for you now.' : ''
  const muted = mutesOf(db, person.member, now).map(({ name }) => name ?? 'everyone')
  const mute = muted.length > 0 ? ` On mute: ${muted.join(', ')}.` : ''
  const text = joined([html`<b>you</b>: ${count(held, 'message')} on the way.${quiet}${mute}`, ...entries], '\n')
  return { text, shows }
}

/** Shows one message, as much as fits: one to or from the person or, in private, one in an inbox of their machines. */
export function oneMessage({ hub }: Context, { person, isPrivate }: Received, seq: number): View {
  const { db } = hub.state
  const id = messageIdAt(db, seq)
  const readers = [
    person.member,
    ...(isPrivate
      ? ownedMachines(db)
          .filter(({ owner }) => owner === person.member)
          .map(({ machine }) => machine)
      : []),
  ]
  const found =
    id === undefined ? undefined : readers.map(reader => messageFor(db, reader, id)).find(each => each !== undefined)
  if (!found) return { text: html`You have no message #${seq} here.`, shows: [] }
  const { from, fromProject, to, sentAt, body, textDeletedAt } = found.message
  const text = textDeletedAt ? html`<i>Its text was deleted: it was read long ago.</i>` : wholeOf(body)
  return {
    text: html`<b>${formatAddress({ name: from, project: fromProject })}</b> → ${visibleLine(to.join(', '), 200)} <code>#${seq}</code> · ${ago(Date.parse(sentAt), Date.now())}\n${text}`,
    shows: [found.message.id],
  }
}

function wholeOf(body: string): Html {
  return quotedBeginning(safeText(body), maxWhole)
}

export function status({ hub, people, status: bridge }: Context): Html {
  const now = Date.now()
  const counts = people.all.map(({ member }) => mailCount(hub.state.db, member))
  const waiting = counts.reduce((sum, each) => sum + each.count, 0)
  const oldest = Math.min(...counts.map(({ oldestAt }) => oldestAt ?? now))
  const failed = failedMail(hub.state.db, 5)
  const all = allMembers(hub.state.db)
  const online = all.filter(({ id }) => hub.presence.of(id).online).length
  const lines = [
    html`Claude Net ${version}: ${count(all.length, 'member')}, ${online} online.`,
    html`To people: ${waiting} waiting${waiting === 0 ? '' : `, the oldest from ${ago(oldest, now)}`}.`,
    html`Telegram: last asked ${bridge.lastPollAt === undefined ? 'not yet' : ago(bridge.lastPollAt, now)}; told to wait ${count(bridge.toldToWait, 'time')} since the start.`,
    ...(bridge.bot?.hearsAll
      ? [html`Privacy mode is off: I am sent everything that is written here. /setprivacy at BotFather turns it on.`]
      : []),
    ...bridge.troubles.map(trouble => html`⚠️ ${trouble}`),
    ...failed.map(({ seq, name, why }) => html`⚠️ Telegram refuses <code>#${seq}</code> for ${name}: ${why}`),
  ]
  return joined(lines, '\n')
}

export function whoami({ hub, people }: Context, { person, isPrivate }: Received): Html {
  const { name, member, settings } = person
  const own = ownedMachines(hub.state.db)
    .filter(({ owner }) => owner === member)
    .map(machine => machine.name)
  const place = people.isPrivate(person) ? 'a private chat with me' : 'the group'
  const quiet = settings.quiet
    ? ` Quiet from ${settings.quiet[0]} to ${settings.quiet[1]}${settings.timezone ? `, ${settings.timezone}` : ''}.`
    : ''
  const machines = own.length === 0 ? 'No machine is yours.' : `Yours: ${own.join(', ')}.`
  const where = isPrivate === people.isPrivate(person) ? '' : ' /here moves it to this chat.'
  return html`You are <b>${name}</b> (Telegram user ${people.userOf(person) ?? 'unknown'}). ${machines} Your messages come to ${place}.${where}${quiet}`
}

function mark({ presence }: Context['hub'], { id }: MemberInfo): string {
  return presence.of(id).online ? '🟢' : '⚪️'
}

/** Names the projects that its sessions work on, as it claims. */
function projects({ presence }: Context['hub'], { id }: MemberInfo): string {
  const names = [...presence.sessionCounts(id).ofProjects.keys()].sort()
  const more = names.length > maxProjects ? ` and ${names.length - maxProjects} more` : ''
  return names.length === 0 ? '' : ` in ${names.slice(0, maxProjects).join(', ')}${more}`
}

function presence({ presence }: Context['hub'], { id }: MemberInfo): string {
  const { online, lastSeenAt } = presence.of(id)
  return presenceInWords(
    { online, lastSeenAt: lastSeenAt === null ? null : new Date(lastSeenAt).toISOString() },
    Date.now(),
  )
}
