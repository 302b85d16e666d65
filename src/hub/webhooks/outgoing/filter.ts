import { ClaudeNetError } from '../../../protocol/errors.ts'
import { Intent } from '../../../protocol/messages.ts'
import { lookupForm, namePattern } from '../../../protocol/names.ts'
import type { OutgoingFilter } from '../../state/outgoing-commands.ts'
import { memberById } from '../../state/query/find-member.ts'
import { type Happening, heldAt } from '../../state/query/happenings.ts'
import type { StoredFilter, Whom } from '../../state/query/outgoing.ts'
import type { Database } from '../../state/store/database.ts'

const grammar =
  'There are: to NAME[/PROJECT], from NAME, intent inform|request|urgent, held, expired, refused, and any for every message; joined with "and".'

/** Parses a filter as typed: `to seanclaude/web and intent urgent`. Throws `invalid`. */
export function parseFilter(typed: string): OutgoingFilter {
  const filter: OutgoingFilter = { event: 'message' }
  const seen = new Set<string>()
  for (const part of typed.trim().split(/\s+and\s+/i)) {
    const [word = '', argument, ...rest] = part.trim().split(/\s+/)
    const key = word.toLowerCase()
    const isEvent = key === 'expired' || key === 'refused'
    const takesOne = key === 'to' || key === 'from' || key === 'intent'
    if (!takesOne && !isEvent && key !== 'held' && key !== 'any') throw wrong(typed, `'${word}' is unknown`)
    if (takesOne !== (argument !== undefined) || rest.length > 0)
      throw wrong(typed, takesOne ? `'${word}' takes one word` : `'${word}' takes no word`)
    if (seen.has(isEvent ? 'event' : key)) throw wrong(typed, `'${word}' is repeated`)
    seen.add(isEvent ? 'event' : key)
    if (isEvent) filter.event = key
    else if (key === 'held') filter.held = true
    else if (takesOne) addWord(filter, typed, key, argument!)
  }
  if (seen.has('any') && seen.size > 1) throw wrong(typed, "'any' stands alone")
  if (filter.held && filter.event !== 'message') throw wrong(typed, `a held message is never ${filter.event}`)
  return filter
}

function addWord(filter: OutgoingFilter, typed: string, key: 'to' | 'from' | 'intent', word: string): void {
  if (key === 'intent') {
    const intent = Intent.safeParse(word.toLowerCase())
    if (!intent.success) throw wrong(typed, `'${word}' is not an intent`)
    filter.intent = intent.data
    return
  }
  const [name = '', project, ...rest] = lookupForm(word).split('/')
  const isProjectOk = project === undefined || (key === 'to' && rest.length === 0 && namePattern.test(project))
  if (!namePattern.test(name) || !isProjectOk) throw wrong(typed, `'${word}' is not a name`)
  filter[key] = name
  if (project !== undefined) filter.project = project
}

function wrong(typed: string, why: string): ClaudeNetError {
  return new ClaudeNetError('invalid', `'${typed}' is not a valid filter: ${why}.`, grammar)
}

/** Reports whether an event matches a filter. */
export function meets(db: Database, filter: StoredFilter, happening: Happening): boolean {
  const { event, intent, held, from, to, project } = filter
  const { kind, seq, message } = happening
  if (kind !== event || (intent !== undefined && message.intent !== intent)) return false
  if (from && !isMeant(db, from, message.from)) return false
  const meant = happening.recipients.filter(
    each => (!to || isMeant(db, to, each.member)) && (project === undefined || each.project === project),
  )
  if (meant.length === 0) return false
  return (
    !held ||
    heldAt(
      db,
      seq,
      meant.map(({ member }) => member),
    ).size > 0
  )
}

function isMeant(db: Database, whom: Whom, member: number): boolean {
  if ('member' in whom) return whom.member === member
  return db.get('select 1 from group_member where group_name = ? and member = ?', whom.group, member) !== undefined
}

/** Formats a filter as it is typed, with current names. */
export function formatFilter(db: Database, { event, intent, held, from, to, project }: StoredFilter): string {
  const words = [
    event === 'message' ? '' : event,
    held ? 'held' : '',
    from ? `from ${nameOf(db, from)}` : '',
    to ? `to ${nameOf(db, to)}${project === undefined ? '' : `/${project}`}` : '',
    intent ? `intent ${intent}` : '',
  ].filter(word => word !== '')
  return words.length === 0 ? 'any' : words.join(' and ')
}

function nameOf(db: Database, whom: Whom): string {
  return 'group' in whom ? whom.group : (memberById(db, whom.member)?.name ?? '?')
}
