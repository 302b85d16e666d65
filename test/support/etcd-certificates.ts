import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' }
const dates = { notBefore: new Date('2020-01-01T00:00:00Z'), notAfter: new Date('2100-01-01T00:00:00Z') }

/** PEM files: the authority, and a certificate that it has signed, with its key. */
export interface TlsFiles {
  ca: string
  cert: string
  key: string
}

/** Creates a certificate authority in `dir`, with one certificate for a node on 127.0.0.1 and one for a client. */
export async function makeTlsFiles(dir: string): Promise<{ node: TlsFiles; client: TlsFiles }> {
  mkdirSync(dir, { recursive: true })
  const newKeys = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const keys = await newKeys()
  const name = 'CN=an authority'
  const authority = await X509CertificateGenerator.createSelfSigned({
    ...{ name, keys, signingAlgorithm, ...dates },
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  })
  const ca = write('ca.pem', authority.toString('pem'))
  // The gateway of a node connects to that node as a client, with the node's own certificate.
  const { serverAuth, clientAuth } = ExtendedKeyUsage
  return {
    node: { ca, ...(await signed('node', [serverAuth, clientAuth])) },
    client: { ca, ...(await signed('client', [clientAuth])) },
  }

  async function signed(of: string, usages: ExtendedKeyUsage[]) {
    const { publicKey, privateKey } = await newKeys()
    const certificate = await X509CertificateGenerator.create({
      ...{ subject: `CN=${of}`, issuer: name, publicKey, signingKey: keys.privateKey, signingAlgorithm, ...dates },
      extensions: [
        new ExtendedKeyUsageExtension(usages),
        new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }]),
      ],
    })
    const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey)).toString('base64')
    const pem = `-----BEGIN PRIVATE KEY-----\n${der.replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`
    return { cert: write(`${of}.pem`, certificate.toString('pem')), key: write(`${of}.key`, pem) }
  }

  function write(file: string, text: string): string {
    const path = join(dir, file)
    writeFileSync(path, `${text}\n`)
    return path
  }
}
