import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { isOffline, isStale } from './api.ts'
import { entries } from './entries.ts'
import { Keyboard } from './keyboard.tsx'
import { live, retryNow } from './live.ts'
import { Menu } from './menu.tsx'
import { href, place } from './router.ts'
import { who } from './session.ts'
import { Icon } from './ui/icon.tsx'

/** The frame of every page: the top bar, the navigation, and a notice while the connection to the hub has a problem. */
export function Frame({ children }: { children: ComponentChildren }) {
  const me = who.value
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')!.focus()}>
        Skip to content
      </button>
      <header class="bar">
        <a class="brand" href={href('now')}>
          Claude Net
        </a>
        {me && <LiveSign />}
        {me && <Menu />}
      </header>
      {me && <Nav />}
      <main id="main" tabIndex={-1}>
        <LineTrouble />
        {children}
      </main>
      {me && <Keyboard />}
    </>
  )
}

function Nav() {
  const current = place.value?.page
  const list = useRef<HTMLUListElement>(null)
  // On a phone the pages are a row that scrolls.
  useEffect(() => {
    list.current!.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [current])
  return (
    <nav class="nav" aria-label="Pages">
      <ul ref={list}>
        {entries().map(({ page, words, icon }) => (
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

/** Shows whether the page is live. */
function LiveSign() {
  const { state } = live.value
  const words = state === 'open' ? 'live' : state === 'waiting' ? 'disconnected' : 'connecting'
  return (
    <span class={`live ${state}`} role="status">
      {words}
    </span>
  )
}

/** Warns that the hub does not respond, or is cut off from the hubs that share its log: the page may be out of date. */
function LineTrouble() {
  if (isStale.value) {
    return (
      <div class="trouble" role="alert">
        <Icon name="warning" />
        <span>This hub is cut off from the other hubs. This page may be a few seconds out of date.</span>
      </div>
    )
  }
  if (live.value.state !== 'waiting' || !isOffline.value) return null
  return (
    <div class="trouble" role="alert">
      <Icon name="warning" />
      <span>The hub does not respond. This page may be out of date; it retries automatically.</span>
      <button type="button" class="button" onClick={retryNow}>
        Retry now
      </button>
    </div>
  )
}
