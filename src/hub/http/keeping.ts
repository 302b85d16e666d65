import type { Backups } from '../keeping/backups.ts'
import { readSettings } from '../state/query/settings.ts'
import type { Handlers } from './handler.ts'

/** `GET /v1/admin/settings`. */
export const getSettings: Handlers['getSettings'] = ({ hub }) => readSettings(hub.state.db)

/** `PUT /v1/admin/settings`. */
export const putSettings: Handlers['putSettings'] = ({ hub, body }) => hub.submit({ type: 'settings.set', ...body })

/** `POST /v1/admin/backup`: answers once the copy was read and found good. Who asks while one is under way gets that one. */
export function makeBackup(backups: Backups): Handlers['makeBackup'] {
  return async ({ reply }) => {
    const report = await backups.make()
    reply.code(201)
    return report
  }
}
