import type { Logger } from 'pino'
import type { HubConfig } from '../config/hub-config.ts'
import { type HubIdentity, openIdentity } from '../identity/identity.ts'

/** Opens the hub's key and certificate. Returns undefined on a full disk, where the first start cannot save a key: the hub then runs without TLS. */
export async function openOwnIdentity({ data, tls }: HubConfig, log: Logger): Promise<HubIdentity | undefined> {
  try {
    return await openIdentity(data, tls)
  } catch (err) {
    if (!isFull(err)) throw err
    log.error(
      { err },
      'the disk is full: the hub could not keep a key of its own, and speaks no TLS until it is started again',
    )
    return undefined
  }
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
}
