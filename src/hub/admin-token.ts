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
 * Ensures that the token in `DIR/admin.token` (0600) is a token of the admin; the first start mints it. Whoever can read the data
 * directory is an admin, so the file decides: if it is deleted, the next start replaces its token with a new one. Tokens of other hubs of
 * the same history, in their own directories, stay valid.
 */
export async function ensureAdminToken(hub: Hub, dataDir: string): Promise<void> {
  const path = join(dataDir, adminTokenFile)
  const found = readToken(path)
  const token = found ?? mintToken('admin')
  const { id } = parseToken(token)!
  const hash = hashToken(token)
  // An existing token is not written again, so that a hub with a full disk still starts and can be read.
  if (found === undefined) replaceFile(path, `${token}\n`, 0o600)
  const { db } = hub.state
  const known = tokenById(db, id)
  const replaces = ownAdminTokens(db)
  if (!known || !sameHash(known.hash, hash)) {
    await hub.submit({ type: 'admin.token', tokenId: id, tokenHash: hash.toString('base64'), replaces })
  }
  saveOwnAdminToken(db, id)
}

/** Returns the token in the file, if any. Throws `forbidden` for a link or a file of another user: whoever else can write it would be the admin. */
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
      'Remove it: the hub then makes a new one.',
    )
  }
}
