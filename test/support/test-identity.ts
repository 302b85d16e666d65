import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { HubIdentity } from '../../src/hub/identity/identity.ts'
import { hubKeyOf } from '../../src/protocol/hub-key.ts'

const file = (name: string) => readFileSync(join(import.meta.dirname, 'tls', name), 'utf8')

const certificate = file('hub.pem')

/** Identity for servers that imitate a hub. */
export const testIdentity: HubIdentity = {
  privateKey: createPrivateKey(file('hub.key')),
  certificate,
  hubKey: hubKeyOf(new X509Certificate(certificate).publicKey),
  ...{ links: [], madeAt: null, isOwn: false },
}
