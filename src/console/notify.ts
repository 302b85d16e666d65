import { effect, signal } from '@preact/signals'
import { visible, visibleLine } from '../text/visible.ts'
import { entries } from './entries.ts'
import { onLive, type Traffic } from './live.ts'
import { href, place } from './router.ts'
import { session, who } from './session.ts'
import { startWorker } from './worker-start.ts'

const key = 'claude-net-notify'

/** Whether notifications are enabled while the tab is hidden. */
export const notifications = signal(localStorage.getItem(key) === 'on')

/** The reason why the browser cannot show notifications, if it cannot. */
export const whyNoNotifications = signal<string | undefined>(whyNot())

function whyNot(): string | undefined {
  if (!isSecureContext)
    return 'Browsers allow notifications and installation only over https or on localhost. The title of the tab counts new messages.'
  if (!('Notification' in globalThis) || !('serviceWorker' in navigator))
    return 'This browser does not support notifications.'
  if (Notification.permission === 'denied') return 'This browser blocks notifications from this page.'
  return undefined
}

/** Stores the choice, after asking the browser for permission if that is needed. */
export async function allowNotifications(on: boolean): Promise<void> {
  const isAllowed = on && (await Notification.requestPermission()) === 'granted'
  notifications.value = isAllowed
  whyNoNotifications.value = whyNot()
  if (isAllowed) localStorage.setItem(key, 'on')
  else localStorage.removeItem(key)
}

/** Number of messages to the reader since the tab was last visible. */
const unseen = signal(0)

onLive('traffic', message => {
  const me = who.value?.name
  if (me === undefined || message.from === me || !message.of.includes(me)) return
  if (document.visibilityState === 'visible') return
  unseen.value++
  if (notifications.value) void show(message)
})

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') unseen.value = 0
})

/** Shows one notification for each message; a click opens the message. */
async function show({ id, from, intent, beginning }: Traffic): Promise<void> {
  if (whyNot() !== undefined || Notification.permission !== 'granted') return
  const worker = await startWorker()
  const what = intent === 'urgent' ? 'urgent: ' : intent === 'request' ? 'request: ' : ''
  await worker?.showNotification(visibleLine(from, 64), {
    body: what + visible(beginning ?? 'New message'),
    tag: id,
    icon: '/console/icon-192.png',
    data: href('messages', [id]),
  })
}

const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]')

// The title shows the page and the number of new messages; the icon then has a dot.
effect(() => {
  const where =
    session.value.state === 'in' ? entries().find(({ page }) => page === place.value?.page)?.words : undefined
  const count = unseen.value
  document.title = `${count > 0 ? `(${count}) ` : ''}${where === undefined ? '' : `${where} · `}Claude Net`
  if (icon) icon.href = count > 0 ? '/console/icon-new.svg' : '/console/icon.svg'
  const badge = navigator as { setAppBadge?: (count: number) => Promise<void> }
  void badge.setAppBadge?.(count).catch(() => {})
})
