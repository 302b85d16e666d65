import { computed, signal } from '@preact/signals'
import type { ConsoleAnswer } from '../protocol/console.ts'
import { call, type HubError, onUnauthorized, tabKey, tabSecret } from './api.ts'
import { place, readPlace } from './router.ts'

/** Who is at the browser, as `GET /v1/console` says. */
export type Who = ConsoleAnswer

export type Session =
  | { state: 'entering' }
  | { state: 'in'; who: Who }
  /** `why`: what to say above how to get in; `over` where there was a session before. */
  | { state: 'out'; over: boolean; why?: HubError }
  /** Nobody answers, so nobody knows. */
  | { state: 'offline'; why: HubError }

/** The session of this page. */
export const session = signal<Session>({ state: 'entering' })

/** Who is at the browser; undefined before and after. Pages are drawn only with somebody, so they use `who.value!`. */
export const who = computed(() => (session.value.state === 'in' ? session.value.who : undefined))

/** Whether the reader may look at texts of `of`: their own and those of machines they own, and an admin's where the hub lets it. */
export function mayRead(of: string): boolean {
  const me = who.value
  if (!me) return false
  return me.role === 'admin' ? me.adminReads : me.name === of || me.owns.includes(of)
}

/** Uses up the link that this page was opened with, if it was, and finds out who is at the browser. */
export async function enter(): Promise<void> {
  session.value = { state: 'entering' }
  const secret = /^#in=([\w-]+)$/.exec(location.hash)?.[1]
  // The secret leaves the address before anything else happens: neither history nor a screenshot keeps it.
  if (secret !== undefined) {
    history.replaceState(null, '', '#/now')
    place.value = readPlace('#/now')
  }
  const hadSecret = tabSecret.get() !== null
  try {
    if (secret !== undefined) {
      const { tab } = await call('consoleLogin', { body: { secret } })
      tabSecret.set(tab)
    } else if (!hadSecret) {
      session.value = { state: 'out', over: false }
      return
    }
    session.value = { state: 'in', who: await call('getConsole') }
  } catch (error) {
    const why = error as HubError
    if (why.isOffline) session.value = { state: 'offline', why }
    else if (secret !== undefined) session.value = { state: 'out', over: false, why }
    else if (why.code === 'unauthorized') session.value = { state: 'out', over: hadSecret }
    else session.value = { state: 'offline', why }
  }
}

/** Ends this session on the hub, and forgets it here. Throws `HubError`. */
export async function leave(): Promise<void> {
  await call('consoleLogout')
  tabSecret.clear()
  session.value = { state: 'out', over: false }
}

onUnauthorized.call = () => {
  if (session.value.state !== 'in') return
  tabSecret.clear()
  session.value = { state: 'out', over: true }
}

// Another tab of this browser has logged in or out: the cookie is theirs now.
addEventListener('storage', ({ key }) => {
  if (key === tabKey) void enter()
})

// A link that is opened where the console is open already changes the fragment alone.
addEventListener('hashchange', () => {
  if (location.hash.startsWith('#in=')) void enter()
})
