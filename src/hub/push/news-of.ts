import type { Effects } from '../state/commands.ts'
import { memberById } from '../state/query/find-member.ts'
import { unreadCount } from '../state/query/inbox.ts'
import { unlessUnreadable } from '../state/query/read-around-damage.ts'
import type { Database } from '../state/store/database.ts'
import type { InboxNews } from './follow.ts'

/** Returns a function that makes the event of a delivery for a recipient, or undefined where the event has to be read from the store. */
export function newsOf(
  db: Database,
  { notTo, from, projects, ...message }: NonNullable<Effects['delivery']>,
): (member: number) => InboxNews | undefined {
  let sender: string | undefined
  return member => {
    if (notTo.includes(member)) return undefined
    return unlessUnreadable(() => {
      sender ??= memberById(db, from)?.name
      if (sender === undefined) return undefined
      const project = projects?.get(member)
      return { ...message, from: sender, ...(project && { project }), unread: unreadCount(db, member) }
    })
  }
}
