import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { readOwnFile } from '../../disk/own-file.ts'
import { replaceFile } from '../../disk/replace-file.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { type HubKey, hubKeyOf } from '../../protocol/hub-key.ts'
import { KeyLink } from '../../protocol/key-chain.ts'
import { Timestamp } from '../../protocol/messages.ts'

/** Name of the file with a hub's own key, in its data directory. */
export const identityFile = 'identity.json'

/** Key and certificate with which a hub proves its identity over TLS. */
export interface HubIdentity {
  privateKey: KeyObject
  /** Certificates in PEM: the hub's own, then optionally those of its authorities. */
  certificate: string
  /** Fingerprint of the public key, which machines pin. */
  hubKey: HubKey
  /** Links from earlier keys to this one, oldest first. */
  links: readonly KeyLink[]
  /** Time at which the key was made; null if unknown. */
  madeAt: string | null
  /** Whether it comes from the admin's own files. */
  isOwn: boolean
}

/** Paths of the admin's own certificate and key, in PEM. */
export interface CertificateFiles {
  certFile: string
  keyFile: string
}

/**
 * Schema of `identity.json`: the hub's key and certificate in PEM, in one file so that both change at once. Fields of other versions
 * are kept. `links` is the signed chain from earlier keys to this one.
 */
const IdentityFile = z.looseObject({
  key: z.string(),
  certificate: z.string(),
  madeAt: Timestamp.optional(),
  links: z.array(KeyLink).optional(),
})
type IdentityFile = z.output<typeof IdentityFile>

/**
 * Opens the identity of the hub of `dataDir`: its own, created at the first start, or that of the files `tls`. Throws `invalid` for one
 * that is unusable: a hub never replaces its key by itself, since every machine that pinned it would be locked out.
 */
export async function openIdentity(dataDir: string, tls?: CertificateFiles): Promise<HubIdentity> {
  if (tls) return readCertificateFiles(tls)
  const path = join(dataDir, identityFile)
  const found = readIdentityFile(path)
  if (found) return identityOf(found, path)
  const { makeCertificate } = await import('./certificate.ts')
  const made = { ...(await makeCertificate()), madeAt: new Date().toISOString() }
  replaceFile(path, `${JSON.stringify(made, null, 2)}\n`, 0o600)
  return identityOf(made, path)
}

/** Reads `identity.json`. Returns undefined if it does not exist; throws `forbidden` or `invalid` if it cannot be trusted or used. */
export function readIdentityFile(path: string): IdentityFile | undefined {
  let text: string
  try {
    text = readOwnFile(path, 0o600)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new ClaudeNetError('forbidden', `${path} cannot be trusted: ${message}.`, mend)
  }
  const parsed = IdentityFile.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  throw unusable(path, 'holds no key of a hub')
}

/** Returns the identity in the `identity.json` at `path`. Throws `invalid` if key and certificate are no pair. */
export function identityOf({ key, certificate, madeAt, links }: IdentityFile, path: string): HubIdentity {
  return {
    ...pair(key, certificate, why => unusable(path, why)),
    links: links ?? [],
    madeAt: madeAt ?? null,
    isOwn: false,
  }
}

function readCertificateFiles({ certFile, keyFile }: CertificateFiles): HubIdentity {
  const read = (path: string) => {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      throw new ClaudeNetError(
        'invalid',
        `tls: ${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`,
        'The user of the hub must be able to read both files that tls of hub.json names.',
      )
    }
  }
  const own = pair(read(keyFile), read(certFile), why => {
    const hint = 'certFile has a certificate in PEM, with its chain; keyFile has its key, not encrypted.'
    return new ClaudeNetError('invalid', `tls: ${certFile} and ${keyFile}: the pair ${why}.`, hint)
  })
  return { ...own, links: [], madeAt: null, isOwn: true }
}

/** Combines a key and its certificate. If they are no pair, throws the error that `wrong` makes of the reason. */
function pair(
  key: string,
  certificate: string,
  wrong: (why: string) => Error,
): Pick<HubIdentity, 'privateKey' | 'certificate' | 'hubKey'> {
  let privateKey: KeyObject
  let leaf: X509Certificate
  try {
    privateKey = createPrivateKey(key)
    leaf = new X509Certificate(certificate)
  } catch {
    throw wrong('cannot be read as PEM')
  }
  if (!leaf.checkPrivateKey(privateKey)) throw wrong('does not belong together')
  return { privateKey, certificate, hubKey: hubKeyOf(leaf.publicKey) }
}

function unusable(path: string, why: string): ClaudeNetError {
  return new ClaudeNetError('invalid', `${path}: the file ${why}.`, mend)
}

const mend =
  'Put a copy of it back. Without one, remove it: the hub then makes a new key, and every machine that pinned the old one must join again.'

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
