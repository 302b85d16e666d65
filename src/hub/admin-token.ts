import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFile } from '../disk/replace-file.ts'
import { hashToken, mintToken, parseToken, sameHash } from '../protocol/token.ts'
import type { Hub } from './hub.ts'
import { tokenById } from './state/query/members.ts'

export const adminTokenFile = 'admin.token'

/**
 * Makes sure that the token in `DIR/admin.token` (0600) is the admin's; the first start mints it. Whoever can read the data
 * directory is the admin, so the file decides: delete it and restart, and a new token replaces the old one.
 */
export async function ensureAdminToken(hub: Hub, dataDir: string): Promise<void> {
  const path = join(dataDir, adminTokenFile)
  const token = readToken(path) ?? mintToken('admin')
  const { id } = parseToken(token)!
  const hash = hashToken(token)
  replaceFile(path, `${token}\n`, 0o600)
  const known = tokenById(hub.state.db, id)
  if (known && sameHash(known.hash, hash)) return
  await hub.submit({ type: 'admin.token', tokenId: id, tokenHash: hash.toString('base64') })
}

function readToken(path: string): string | undefined {
  try {
    const token = readFileSync(path, 'utf8').trim()
    return parseToken(token)?.role === 'admin' ? token : undefined
  } catch {
    return undefined
  }
}
