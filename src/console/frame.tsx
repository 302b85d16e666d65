import type { ComponentChildren } from 'preact'
import { isOffline } from './api.ts'
import { live, retryNow } from './live.ts'
import { href, type PageName, place } from './router.ts'
import { who } from './session.ts'
import { Icon, type IconName } from './ui/icon.tsx'
import { Line } from './ui/text.tsx'

interface Entry {
  page: PageName
  words: string
  icon: IconName
  /** Only an admin may see it. */
  admin?: true
}

const entries: readonly Entry[] = [
  { page: 'now', words: 'Now', icon: 'now' },
  { page: 'conversations', words: 'Conversations', icon: 'conversations' },
  { page: 'search', words: 'Search', icon: 'search' },
  { page: 'members', words: 'Members', icon: 'members' },
  { page: 'health', words: 'Health', icon: 'health', admin: true },
  { page: 'audit', words: 'Audit', icon: 'audit', admin: true },
  { page: 'webhooks', words: 'Webhooks', icon: 'webhooks', admin: true },
  { page: 'sessions', words: 'Sessions', icon: 'sessions' },
]

/** What stands around every page: the bar at the top, the way to the other pages, and what is wrong with the line to the hub. */
export function Frame({ children }: { children: ComponentChildren }) {
  const me = who.value
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')!.focus()}>
        Skip to the page
      </button>
      <header class="bar">
        <a class="brand" href={href('now')}>
          Claude Net
        </a>
        {me && <LiveSign />}
        {me && (
          <a class="me" href={href('sessions')} title="Your sessions">
            <Line max={40}>{me.name}</Line>
            {me.role !== 'human' && me.role !== me.name && <span class="hint"> {me.role}</span>}
          </a>
        )}
      </header>
      {me && <Nav isAdmin={me.role === 'admin'} />}
      <main id="main" tabIndex={-1}>
        <LineTrouble />
        {children}
      </main>
    </>
  )
}

function Nav({ isAdmin }: { isAdmin: boolean }) {
  const current = place.value?.page
  return (
    <nav class="nav" aria-label="Pages">
      <ul>
        {entries
          .filter(({ admin }) => isAdmin || !admin)
          .map(({ page, words, icon }) => (
            <li key={page}>
              <a href={href(page)} aria-current={page === current ? 'page' : undefined}>
                <Icon name={icon} />
                <span>{words}</span>
              </a>
            </li>
          ))}
      </ul>
    </nav>
  )
}

/** Whether what is shown is live. */
function LiveSign() {
  const { state } = live.value
  const words = state === 'open' ? 'live' : state === 'waiting' ? 'not live' : 'connecting'
  return (
    <span class={`live ${state}`} role="status">
      {words}
    </span>
  )
}

/** The hub does not answer: what is shown may be old. */
function LineTrouble() {
  if (live.value.state !== 'waiting' || !isOffline.value) return null
  return (
    <div class="trouble" role="alert">
      <Icon name="warning" />
      <span>The hub does not answer. What you see here may be old; it is asked again by itself.</span>
      <button type="button" class="button" onClick={retryNow}>
        Try now
      </button>
    </div>
  )
}
