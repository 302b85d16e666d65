// The service worker: caches the files of the page, so that an installed console opens while the hub does not respond and can report that,
// and opens a message when its notification is clicked. It caches no response of the hub's API.

/** The part of a service worker's API used here. The library of types for workers and the one for pages exclude each other. */
interface WorkerScope {
  addEventListener(name: 'install', then: () => void): void
  addEventListener(name: 'activate', then: (event: { waitUntil(done: Promise<unknown>): void }) => void): void
  addEventListener(name: 'fetch', then: (event: FetchEvent) => void): void
  addEventListener(name: 'notificationclick', then: (event: ClickEvent) => void): void
  skipWaiting(): Promise<void>
  clients: {
    claim(): Promise<void>
    matchAll(options: { type: 'window'; includeUncontrolled: true }): Promise<Client[]>
    openWindow(url: string): Promise<unknown>
  }
}
interface FetchEvent {
  request: Request
  respondWith(answer: Promise<Response>): void
}
interface ClickEvent {
  notification: { close(): void; data: unknown }
  waitUntil(done: Promise<unknown>): void
}
interface Client {
  url: string
  focus(): Promise<unknown>
  navigate(url: string): Promise<unknown>
}

const worker = self as unknown as WorkerScope
const cacheName = 'console'

/** Matches files named after a hash of their content: a cached one is never out of date. */
const hashed = /^\/console\/[\w.]+-[\w-]{8}\.(js|css)$/

worker.addEventListener('install', () => void worker.skipWaiting())
worker.addEventListener('activate', event => event.waitUntil(worker.clients.claim()))

worker.addEventListener('fetch', event => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== location.origin) return
  if (request.mode === 'navigate' && pathname === '/') event.respondWith(page(request))
  else if (hashed.test(pathname)) event.respondWith(file(request))
})

/** Returns the page from the hub; if the hub does not respond, the cached one. A new page discards the cached files of the previous one. */
async function page(request: Request): Promise<Response> {
  const cache = await caches.open(cacheName)
  try {
    const answer = await fetch(request)
    if (!answer.ok) return answer
    const before = await cache.match('/')
    if (before?.headers.get('etag') !== answer.headers.get('etag')) await caches.delete(cacheName)
    await (await caches.open(cacheName)).put('/', answer.clone())
    return answer
  } catch (error) {
    const kept = await cache.match('/')
    if (kept) return kept
    throw error
  }
}

async function file(request: Request): Promise<Response> {
  const cache = await caches.open(cacheName)
  const kept = await cache.match(request)
  if (kept) return kept
  const answer = await fetch(request)
  if (answer.ok) await cache.put(request, answer.clone())
  return answer
}

worker.addEventListener('notificationclick', event => {
  const { notification } = event
  notification.close()
  event.waitUntil(
    (async () => {
      const to = `/${String(notification.data)}`
      const [open] = await worker.clients.matchAll({ type: 'window', includeUncontrolled: true })
      if (!open) return worker.clients.openWindow(to)
      await open.focus()
      return open.navigate(to)
    })(),
  )
})

export {}
