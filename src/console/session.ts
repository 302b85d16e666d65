import { computed, signal } from '@preact/signals'
import type { ConsoleAnswer } from '../protocol/console.ts'
import { call, type HubError, onUnauthorized, tabKey, tabSecret } from './api.ts'
import { place, readPlace } from './router.ts'

/** Who is at the browser, as `GET /v1/console` says. */
export type Who = ConsoleAnswer

export type Session =
  | { state: 'entering' }
  | { state: 'in'; who: Who }
  /** A link was opened while `who` is in: whoever sent it decides not whom this browser speaks for. */
  | { state: 'choosing'; who: Who; secret: string }
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

/**
 * Finds out who is at the browser, by the link that this page was opened with, if it was. Where somebody is in already, the link is used
 * only once they have said so.
 */
export async function enter(): Promise<void> {
  session.value = { state: 'entering' }
  const secret = takeSecret()
  if (secret === undefined && tabSecret.get() === null) session.value = { state: 'out', over: false }
  else if (secret === undefined) await goOn()
  else {
    const isIn = tabSecret.get() !== null
    const who = isIn ? await call('getConsole').catch(() => undefined) : undefined
    if (who) session.value = { state: 'choosing', who, secret }
    else await useLink(secret)
  }
}

/** The secret of the link in the address, which leaves it before anything else happens: neither history nor a screenshot keeps it. */
function takeSecret(): string | undefined {
  const secret = /^#in=([\w-]+)$/.exec(location.hash)?.[1]
  if (secret === undefined) return undefined
  history.replaceState(null, '', '#/now')
  place.value = readPlace('#/now')
  return secret
}

/** Uses a link up, and is who it is for from then on. */
export async function useLink(secret: string): Promise<void> {
  session.value = { state: 'entering' }
  try {
    const { tab } = await call('consoleLogin', { body: { secret } })
    tabSecret.set(tab)
  } catch (error) {
    const why = error as HubError
    session.value = why.isOffline ? { state: 'offline', why } : { state: 'out', over: false, why }
    return
  }
  await goOn()
}

/** Goes on with the session whose secret this browser has. */
export async function goOn(): Promise<void> {
  const hadSecret = tabSecret.get() !== null
  try {
    session.value = { state: 'in', who: await call('getConsole') }
  } catch (error) {
    const why = error as HubError
    session.value = why.code === 'unauthorized' ? { state: 'out', over: hadSecret } : { state: 'offline', why }
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
