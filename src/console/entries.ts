import type { PageName } from './router.ts'
import { who } from './session.ts'
import type { IconName } from './ui/icon.tsx'

/** A page in the navigation. */
export interface Entry {
  page: PageName
  words: string
  icon: IconName
  /** The key that opens it after `g`. */
  key: string
  /** Only an admin may see it. */
  admin?: true
}

const all: readonly Entry[] = [
  { page: 'now', words: 'Now', icon: 'now', key: 'n' },
  { page: 'conversations', words: 'Conversations', icon: 'conversations', key: 'c' },
  { page: 'search', words: 'Search', icon: 'search', key: 's' },
  { page: 'members', words: 'Members', icon: 'members', key: 'm' },
  { page: 'health', words: 'Health', icon: 'health', key: 'h', admin: true },
  { page: 'audit', words: 'Audit', icon: 'audit', key: 'a', admin: true },
  { page: 'webhooks', words: 'Webhooks', icon: 'webhooks', key: 'w', admin: true },
  { page: 'sessions', words: 'Sessions', icon: 'sessions', key: 'e' },
]

/** The pages that the reader may see, in the order of the navigation. Empty without a session. */
export function entries(): readonly Entry[] {
  const me = who.value
  return me ? all.filter(({ admin }) => me.role === 'admin' || !admin) : []
}
