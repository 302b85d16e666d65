import type { Hub } from '../hub.ts'
import type { Backups } from '../keeping/backups.ts'
import { readSettings, tokenDays } from '../state/query/settings.ts'
import type { Handlers } from './handler.ts'

/** `GET /v1/admin/settings`. */
export const getSettings: Handlers['getSettings'] = ({ hub }) => allSettings(hub)

/** `PUT /v1/admin/settings`. */
export const putSettings: Handlers['putSettings'] = async ({ hub, body }) => {
  const { tokenDays: days, ...others } = body
  const isOther = Object.values(others).some(value => value !== undefined)
  await Promise.all([
    isOther && hub.submit({ type: 'settings.set', ...others }),
    days !== undefined && hub.submit({ type: 'token.limit', days }),
  ])
  return allSettings(hub)
}

function allSettings({ state }: Hub) {
  return { ...readSettings(state.db), tokenDays: tokenDays(state.db) }
}

/** `POST /v1/admin/backup`: responds once the backup has been read back and checked. Concurrent requests share one backup. */
export function makeBackup(backups: Backups): Handlers['makeBackup'] {
  return async ({ reply }) => {
    const report = await backups.make()
    reply.code(201)
    return report
  }
}
