import { join } from 'node:path'
import { replaceFile } from '../../disk/replace-file.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { maxKeyLinks, signKeyLink } from '../../protocol/key-chain.ts'
import { type HubIdentity, identityFile, identityOf, readIdentityFile } from './identity.ts'

/**
 * Gives the hub of `dataDir` a new key, which is on disk when this resolves. The key of before signs the link to it, and is gone; with
 * `compromised` it signs nothing, and the links of before are dropped: nobody who has that key leads a machine anywhere.
 */
export async function rotateIdentity(dataDir: string, { compromised }: { compromised: boolean }): Promise<HubIdentity> {
  const path = join(dataDir, identityFile)
  const file = readIdentityFile(path)
  if (!file) {
    throw new ClaudeNetError('not_found', 'This hub has no key of its own.', 'It makes one when it starts: restart it.')
  }
  const before = identityOf(file, path)
  const { makeCertificate } = await import('./certificate.ts')
  const made = await makeCertificate()
  const madeAt = new Date().toISOString()
  const { hubKey } = identityOf(made, path)
  const links = compromised ? [] : [...before.links, signKeyLink(before.privateKey, hubKey, madeAt)].slice(-maxKeyLinks)
  const next = { ...file, ...made, madeAt, links }
  replaceFile(path, `${JSON.stringify(next, null, 2)}\n`, 0o600)
  return identityOf(next, path)
}
