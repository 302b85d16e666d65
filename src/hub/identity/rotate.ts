import { join } from 'node:path'
import { replaceFile } from '../../disk/replace-file.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { maxKeyLinks, signKeyLink } from '../../protocol/key-chain.ts'
import { type HubIdentity, identityFile, identityOf, readIdentityFile } from './identity.ts'

/**
 * Replaces the key of the hub of `dataDir`; the new one is on disk when this resolves. The old key signs the link to it and is deleted. With
 * `compromised` it signs nothing, and the earlier links are dropped: a holder of the old key cannot redirect any machine.
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
