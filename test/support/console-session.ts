import { api } from '../../src/protocol/api.ts'
import type { ConsoleLink } from '../../src/protocol/console.ts'
import { tabHeader } from '../../src/protocol/console-header.ts'
import type { TestHub } from './hub.ts'
import { type RawAnswer, type RawRequest, raw } from './raw.ts'

/** A logged-in browser, reduced to its HTTP requests. */
export class ConsoleBrowser {
  readonly #hub: Pick<TestHub, 'url'>
  /** `NAME=VALUE`, the form in which it is sent back. */
  readonly cookie: string
  readonly tab: string
  readonly session: string

  constructor(hub: Pick<TestHub, 'url'>, login: RawAnswer) {
    this.#hub = hub
    const { tab, session } = login.json as { tab: string; session: string }
    this.tab = tab
    this.session = session
    this.cookie = login.headers['set-cookie']![0]!.split(';')[0]!
  }

  /** Headers that a page of the console sends with every call. */
  get headers(): Record<string, string> {
    return { cookie: this.cookie, [tabHeader]: this.tab, 'sec-fetch-site': 'same-origin' }
  }

  ask(request: RawRequest): Promise<RawAnswer> {
    const isRead = (request.method ?? 'GET') === 'GET' && request.body === undefined
    const origin: Record<string, string> = isRead ? {} : { origin: this.#hub.url.origin }
    return raw(this.#hub, { ...request, headers: { ...this.headers, ...origin, ...request.headers } })
  }
}

/** Makes a link for the owner of `token`, or with `named` for another member. */
export async function linkFor(hub: TestHub, token: string, named?: string): Promise<ConsoleLink> {
  const client = hub.client(token)
  try {
    return await client.call(api.consoleLink, { body: named === undefined ? {} : { for: named } })
  } finally {
    client.close()
  }
}

/** Logs in like a browser with a link's secret; `headers` are added to a browser's own. */
export function login(
  hub: Pick<TestHub, 'url'>,
  secret: string,
  headers: Record<string, string> = {},
): Promise<RawAnswer> {
  const own = { origin: hub.url.origin, 'sec-fetch-site': 'same-origin', 'user-agent': 'Mozilla/5.0 Firefox/141.0' }
  return raw(hub, { path: '/v1/console/login', headers: { ...own, ...headers }, body: { secret } })
}

/** Returns a browser that has logged in as the owner of `token`, or as `named`. */
export async function openConsole(hub: TestHub, token: string, named?: string): Promise<ConsoleBrowser> {
  const { secret } = await linkFor(hub, token, named)
  const answer = await login(hub, secret)
  if (answer.status !== 201) throw new Error(`The login was refused: ${answer.text}`)
  return new ConsoleBrowser(hub, answer)
}
