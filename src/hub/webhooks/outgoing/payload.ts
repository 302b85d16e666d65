import { firstCharacters, visibleLine } from '../../../text/visible.ts'
import { memberById } from '../../state/query/find-member.ts'
import { type Happening, heldAt, textOf } from '../../state/query/happenings.ts'
import type { OutgoingRow } from '../../state/query/outgoing.ts'
import { storedReasonInWords } from '../../state/refusal-words.ts'
import type { Database } from '../../state/store/database.ts'
import { timestamp } from '../../state/timestamp.ts'
import { fill } from './template.ts'

/** Most recipients that a line names. */
const namedInLine = 5

/** Most characters of a text in a line. */
const textInLine = 200

/** Returns the body of a post: the filled template, or the event as `{type, timestamp, data}`. */
export function bodyOf(
  db: Database,
  { template, withText }: Pick<OutgoingRow, 'template' | 'withText'>,
  happening: Happening,
): string {
  const { kind, seq, at, message, recipients } = happening
  const from = nameOf(db, message.from)
  const held =
    kind === 'message'
      ? heldAt(
          db,
          seq,
          recipients.map(({ member }) => member),
        )
      : new Set<number>()
  const to = recipients.map(({ member, name, project, reason }) => ({
    name: nameOf(db, member, name),
    ...(project !== undefined && { project }),
    ...(held.has(member) && { held: true as const }),
    ...(reason !== undefined && { reason: storedReasonInWords(name, reason) }),
  }))
  const text = withText === 1 && seq > 0 ? textOf(db, seq) : undefined
  const line = lineOf(db, happening, text)
  if (template !== null) {
    const names = to.map(({ name, project }) => (project === undefined ? name : `${name}/${project}`)).join(', ')
    const { id, intent, bytes } = message
    return fill(template, {
      ...{ event: kind, id, from, to: names, intent, at: timestamp(at), bytes: String(bytes), line, text: text ?? '' },
    })
  }
  const { id, fromProject, intent, replyTo, bytes } = message
  const data = { id, from, fromProject, to, intent, replyTo, bytes, line, text }
  return JSON.stringify({ type: kind, timestamp: timestamp(at), data })
}

/** Returns the event in one line: `jaz → seanclaude/web (urgent): The build …`, without the text if that is not given. */
export function lineOf(db: Database, { kind, message, recipients }: Happening, text?: string): string {
  const named = recipients
    .slice(0, namedInLine)
    .map(({ member, name, project }) => nameOf(db, member, name) + (project === undefined ? '' : `/${project}`))
  const more = recipients.length > namedInLine ? ` and ${recipients.length - namedInLine} more` : ''
  const who = `${nameOf(db, message.from)} → ${named.join(', ')}${more} (${message.intent})`
  const [first] = recipients
  const reason = first && storedReasonInWords(first.name, first.reason)
  const what = {
    message: '',
    expired: ' expired unread',
    refused: ` was refused${reason ? `: ${reason}` : ''}`,
  }[kind]
  return who + what + (text === undefined ? '' : `: ${visibleLine(firstCharacters(text, 2 * textInLine), textInLine)}`)
}

/** Returns a member's current name; for a deleted one, its last. */
function nameOf(db: Database, member: number, before?: string): string {
  const name = memberById(db, member)?.name ?? before ?? '?'
  return name.split('#')[0]!
}
