import { newMessageId } from '../../protocol/ids.ts'
import { count } from '../../text/spans.ts'
import { visibleLine } from '../../text/visible.ts'
import type { Untold } from './apply/untold.ts'
import type { CommandOf } from './commands.ts'
import { type UntoldOf, untoldBySender } from './query/untold.ts'
import { notTakenInWords, whyInWords } from './refusal-words.ts'
import type { Database } from './store/database.ts'

/** Most messages that one notice names, and most senders who are notified at a time. */
const maxNamed = 10
const maxSenders = 20

/** Most characters of recipients in one line. */
const maxNames = 200

/** Returns a command for each sender who is to be notified of the fate of their messages. */
export function noticesToSenders(db: Database): CommandOf<'sender.tell'>[] {
  return untoldBySender(db, maxSenders, maxNamed).map(untold => ({
    type: 'sender.tell',
    to: untold.sender,
    ...(untold.project !== '' && { project: untold.project }),
    upTo: untold.upTo,
    notice: { id: newMessageId(), body: noticeText(db, untold) },
  }))
}

function noticeText(db: Database, { count: all, newest }: UntoldOf): string {
  const lines = newest.map(each => lineOf(db, each))
  const more = all > newest.length ? [`${all - newest.length} more: claude-net history shows them.`] : []
  return [`What became of ${count(all, 'message')} that you sent:`, ...lines, ...more].join('\n')
}

/** Returns one line on the fate of a message, with its id and its beginning. */
function lineOf(db: Database, untold: Untold): string {
  const { id, beginning } = untold
  return `- ${fateOf(db, untold)} Message ${id}, which begins: ${visibleLine(beginning.trimStart().split('\n')[0]!, 80)}`
}

function fateOf(db: Database, untold: Untold): string {
  const to = visibleLine(untold.to.join(', '), maxNames)
  switch (untold.what) {
    case 'expired':
      return `${expiredAt(untold)} before anybody there had acked it.`
    case 'refused': {
      const { message, hint } = whyInWords(db, untold.why)
      return `A scheduled message to ${to} was due, but nobody accepted it: ${visibleLine(`${message} ${hint}`.trim(), 300)}`
    }
    case 'partly': {
      const whys = untold.refused.slice(0, maxNamed).map(({ name, reason }) => notTakenInWords(name, reason).message)
      const gone = untold.gone.length > 0 ? [goneInWords(untold.gone)] : []
      return `A scheduled message to ${to} was due, but some did not accept it: ${visibleLine([...whys, ...gone].join(' '), 500)}`
    }
    case 'cancelled':
      return `A scheduled message to ${to} was cancelled, because the admin ended the tokens of this machine.`
  }
}

function expiredAt({ at, members }: Extract<Untold, { what: 'expired' }>): string {
  const names = at.map(({ name, fetched }) => (fetched ? `${name} (a session was shown it)` : name)).join(', ')
  const more = members > at.length ? ` and ${members - at.length} more` : ''
  return `It expired at ${visibleLine(names, maxNames)}${more}`
}

function goneInWords(names: readonly string[]): string {
  const gone = visibleLine(names.join(', '), maxNames)
  return names.length === 1
    ? `${gone} is no longer a member, group or project.`
    : `${gone} are no longer members, groups or projects.`
}
