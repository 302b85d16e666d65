import { hostNameOf } from '../protocol/hub-address.ts'
import { visibleLine } from '../text/visible.ts'
import { UsageError } from './usage-error.ts'

/** The address of a hub as a person types it. Throws `invalid` for whatever else; `name` is the option that it was given to. */
export function hubAddress(address: string, name?: string): URL {
  const url = parseUrl(address)
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:'
  // A user, a path, a query or a fragment would be ignored.
  if (url && isHttp && url.href === `${url.origin}/` && hostNameOf(url.host) !== undefined) return url
  throw new UsageError(
    `${name ? `${name}: ` : ''}'${visibleLine(address, 100)}' is not the address of a hub.`,
    'It looks like http://10.0.3.1:3500',
  )
}

/** `URL.parse`, which Node has from 22 on. */
function parseUrl(address: string): URL | undefined {
  try {
    return new URL(address)
  } catch {
    return undefined
  }
}
