import type { ComponentType } from 'preact'
import { Entrance } from './entrance.tsx'
import { Frame } from './frame.tsx'
import { lazyPage, type PageProps } from './lazy-page.tsx'
import { NotFound } from './pages/not-found.tsx'
import { type PageName, place } from './router.ts'
import { session } from './session.ts'
import { Toasts } from './ui/toast.tsx'

/** Pages by name. Each is a file with a default export, loaded on its first visit. */
const pages: Record<PageName, ComponentType<PageProps>> = {
  now: lazyPage(() => import('./pages/now.tsx')),
  conversations: lazyPage(() => import('./pages/conversations.tsx')),
  messages: lazyPage(() => import('./pages/message.tsx')),
  search: lazyPage(() => import('./pages/search.tsx')),
  members: lazyPage(() => import('./pages/members.tsx')),
  health: lazyPage(() => import('./pages/health.tsx')),
  audit: lazyPage(() => import('./pages/audit.tsx')),
  webhooks: lazyPage(() => import('./pages/webhooks.tsx')),
  sessions: lazyPage(() => import('./pages/sessions.tsx')),
}

/** The whole document: the frame around the current page, or the entrance without a session. */
export function App() {
  return (
    <>
      <Frame>{session.value.state === 'in' ? <Page /> : <Entrance />}</Frame>
      <Toasts />
    </>
  )
}

function Page() {
  const at = place.value
  if (!at) return <NotFound />
  const Current = pages[at.page]
  return <Current key={at.page} parts={at.parts} query={at.query} />
}
