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

/** The file of a hub's own key, in its data directory. */
export const identityFile = 'identity.json'

/** What a hub proves itself with over TLS. */
export interface HubIdentity {
  privateKey: KeyObject
  /** In PEM; the hub's own certificate is the first, those of its authorities may follow. */
  certificate: string
  /** The fingerprint of the public key: what machines pin. */
  hubKey: HubKey
  /** How the hub came to this key from earlier ones, the oldest link first. */
  links: readonly KeyLink[]
  /** When the key was made; null where that is not known. */
  madeAt: string | null
  /** Whether it is of files of the admin's own. */
  isOwn: boolean
}

/** A certificate of the admin's own, by the paths of two files in PEM. */
export interface CertificateFiles {
  certFile: string
  keyFile: string
}

/**
 * `identity.json`: the key that the hub made, and its certificate, in PEM, in one file so that both change at once. What another
 * version adds to it is kept. `links` is the signed chain from earlier keys to this one.
 */
const IdentityFile = z.looseObject({
  key: z.string(),
  certificate: z.string(),
  madeAt: Timestamp.optional(),
  links: z.array(KeyLink).optional(),
})
type IdentityFile = z.output<typeof IdentityFile>

/**
 * The identity of the hub of `dataDir`: its own, which the first start makes, or that of the files `tls`. Throws `invalid` for what
 * is there and cannot be used: a hub never replaces its key by itself, since every machine that pinned it would be locked out.
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

/** What `identity.json` holds. Undefined when there is none; throws `forbidden` or `invalid` when it cannot be trusted or used. */
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

/** The identity that `identity.json` holds, at `path`. Throws `invalid` for a key and a certificate that are no pair. */
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

/** A key and its certificate as one. Throws what `wrong` makes of the reason when they are not. */
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
