import { signal } from '@preact/signals'

/** Every page, by the first part of its address: `#/members/sean` is the page `members` with the parts `['sean']`. */
export const pages = [
  'now',
  'conversations',
  'messages',
  'search',
  'members',
  'health',
  'audit',
  'webhooks',
  'sessions',
] as const
export type PageName = (typeof pages)[number]

/** A place in the console. `parts` and `query` are decoded and untrusted. */
export interface Place {
  page: PageName
  parts: readonly string[]
  query: Readonly<Record<string, string>>
}

/** Parses the fragment of an address (`#/conversations/sean/chas?at=12`). Returns undefined if it names no page. */
export function readPlace(hash: string): Place | undefined {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2)
  const [page = '', ...parts] = path.split('/').map(decode)
  if (path === '') return { page: 'now', parts: [], query: {} }
  if (!pages.includes(page as PageName)) return undefined
  return {
    page: page as PageName,
    parts: parts.filter(part => part !== ''),
    query: Object.fromEntries(new URLSearchParams(query)),
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/**
 * Returns the address of a page, for `href`: `href('conversations', ['sean', 'chas'])`. Fields of `query` that are undefined or '' are left
 * out.
 */
export function href(
  page: PageName,
  parts: readonly string[] = [],
  query: Record<string, string | undefined> = {},
): string {
  const path = [page, ...parts].map(encodeURIComponent).join('/')
  const search = new URLSearchParams(
    Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  ).toString()
  return `#/${path}${search && `?${search}`}`
}

/** The current place, kept up to date. Undefined for an address that names no page. */
export const place = signal<Place | undefined>(readPlace(location.hash))

addEventListener('hashchange', () => {
  // A login link is not a place: session.ts handles it.
  if (location.hash.startsWith('#in=')) return
  place.value = readPlace(location.hash)
})

/** Opens a page. `replace` replaces the current entry of the history: for values that change with each key typed. */
export function go(
  page: PageName,
  parts: readonly string[] = [],
  query: Record<string, string | undefined> = {},
  { replace = false } = {},
): void {
  const to = href(page, parts, query)
  if (!replace) location.hash = to
  else {
    history.replaceState(history.state, '', to)
    place.value = readPlace(to)
  }
}
