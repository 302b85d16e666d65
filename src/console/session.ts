import { computed, signal } from '@preact/signals'
import type { ConsoleAnswer } from '../protocol/console.ts'
import { call, type HubError, onUnauthorized, tabKey, tabSecret } from './api.ts'
import { place, readPlace } from './router.ts'

/** The logged-in member, as returned by `GET /v1/console`. */
export type Who = ConsoleAnswer

export type Session =
  | { state: 'entering' }
  | { state: 'in'; who: Who }
  /** A link was opened while `who` is logged in. It must not change the member without their consent. */
  | { state: 'choosing'; who: Who; secret: string }
  /** `why`: the sentence above the instructions; `over` if there was a session before. */
  | { state: 'out'; over: boolean; why?: HubError }
  /** The hub does not respond, so the session is unknown. */
  | { state: 'offline'; why: HubError }

/** The session of this page. */
export const session = signal<Session>({ state: 'entering' })

/** The logged-in member; undefined without a session. Pages are drawn only with a session, so they use `who.value!`. */
export const who = computed(() => (session.value.state === 'in' ? session.value.who : undefined))

/**
 * Reports whether the reader may read texts of `of`: their own and those of machines they own; for an admin all, if the hub permits that.
 */
export function mayRead(of: string): boolean {
  const me = who.value
  if (!me) return false
  return me.role === 'admin' ? me.adminReads : me.name === of || me.owns.includes(of)
}

/**
 * Determines the logged-in member, by the link that this page was opened with, if any. With an existing session, the link is used
 * only after consent.
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

/**
 * Removes the secret of the link from the address before anything else happens, so that neither history nor a screenshot has it, and
 * returns it.
 */
function takeSecret(): string | undefined {
  const secret = /^#in=([\w-]+)$/.exec(location.hash)?.[1]
  if (secret === undefined) return undefined
  history.replaceState(null, '', '#/now')
  place.value = readPlace('#/now')
  return secret
}

/** Uses a link and starts its session. */
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

/** Continues the session whose secret this browser has. */
export async function goOn(): Promise<void> {
  const hadSecret = tabSecret.get() !== null
  try {
    session.value = { state: 'in', who: await call('getConsole') }
  } catch (error) {
    const why = error as HubError
    session.value = why.code === 'unauthorized' ? { state: 'out', over: hadSecret } : { state: 'offline', why }
  }
}

/** Ends this session on the hub and deletes its secret here. Throws `HubError`. */
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

// Another tab of this browser has logged in or out, so the cookie belongs to its session now.
addEventListener('storage', ({ key }) => {
  if (key === tabKey) void enter()
})

// Opening a link while the console is open only changes the fragment.
addEventListener('hashchange', () => {
  if (location.hash.startsWith('#in=')) void enter()
})
