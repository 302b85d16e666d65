/** The part of Trusted Types that the page uses; browsers other than Chrome may have none. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): {
    createScriptURL(url: string): string
  }
}

/** The only script URL that the page creates. Its policy is the one that the hub's header allows. */
const path = '/console/worker.js'
const policy = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy('claude-net', {
  createScriptURL: () => path,
})

let started: Promise<ServiceWorkerRegistration | undefined> | undefined

/** Starts the service worker, once, in a secure context: it shows notifications, and the page while the hub does not respond. */
export function startWorker(): Promise<ServiceWorkerRegistration | undefined> {
  started ??= register().catch(() => undefined)
  return started
}

async function register(): Promise<ServiceWorkerRegistration | undefined> {
  if (!isSecureContext || !('serviceWorker' in navigator)) return undefined
  await navigator.serviceWorker.register(policy?.createScriptURL(path) ?? path, { scope: '/' })
  return navigator.serviceWorker.ready
}
