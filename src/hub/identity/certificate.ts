import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { X509CertificateGenerator } from '@peculiar/x509'

/** RFC 5280, section 4.1.2.5: a certificate without a well-defined end. Clients compare the key and never look at dates. */
const [notBefore, notAfter] = [new Date('2000-01-01T00:00:00Z'), new Date('9999-12-31T23:59:59Z')]

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }

/** Returns a new key (EC P-256, PKCS #8) and a self-signed certificate, both in PEM. */
export async function makeCertificate(): Promise<{ key: string; certificate: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=Claude Net hub',
    ...{ notBefore, notAfter, keys },
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  })
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  const lines = Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n')
  return {
    key: `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`,
    certificate: `${certificate.toString('pem')}\n`,
  }
}
