import { join } from 'node:path'
import { readOwnFile } from '../disk/own-file.ts'
import { replaceFile } from '../disk/replace-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { hashToken, mintToken, parseToken, sameHash } from '../protocol/token.ts'
import type { Hub } from './hub.ts'
import { ownAdminTokens, saveOwnAdminToken } from './state/local/own-admin-token.ts'
import { tokenById } from './state/query/members.ts'

export const adminTokenFile = 'admin.token'

/**
 * Makes sure that the token in `DIR/admin.token` (0600) is an admin's; the first start mints it. Whoever can read the data
 * directory is an admin, so the file decides: delete it and restart, and a new token replaces the one that stood there. Tokens of
 * other hubs of the same history, in their own directories, go on.
 */
export async function ensureAdminToken(hub: Hub, dataDir: string): Promise<void> {
  const path = join(dataDir, adminTokenFile)
  const found = readToken(path)
  const token = found ?? mintToken('admin')
  const { id } = parseToken(token)!
  const hash = hashToken(token)
  // A token that is there is not written again: on a full disk a hub still starts, to be read.
  if (found === undefined) replaceFile(path, `${token}\n`, 0o600)
  const { db } = hub.state
  const known = tokenById(db, id)
  const replaces = ownAdminTokens(db)
  if (!known || !sameHash(known.hash, hash)) {
    await hub.submit({ type: 'admin.token', tokenId: id, tokenHash: hash.toString('base64'), replaces })
  }
  saveOwnAdminToken(db, id)
}

/** Throws `forbidden` for a link or a file of another user's: whoever else can write it would be the admin. */
function readToken(path: string): string | undefined {
  try {
    const token = readOwnFile(path, 0o600).trim()
    return parseToken(token)?.role === 'admin' ? token : undefined
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new ClaudeNetError(
      'forbidden',
      `${path} cannot be trusted: ${(error as Error).message}.`,
      'Remove it, and the hub makes a new one.',
    )
  }
}
