import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { mintJoinCode } from '../protocol/join-code.ts'
import { mintToken } from '../protocol/token.ts'
import { findSecret, refuseSecrets } from './secrets.ts'

/** Returns random characters of `alphabet`, the same in every run, so that results do not depend on chance. */
function chance(
  length: number,
  alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789',
  seed = 'a',
) {
  let out = ''
  for (let n = 0; out.length < length; n++)
    for (const byte of createHash('sha256').update(`${seed}${n}`).digest())
      if (out.length < length) out += alphabet[byte % alphabet.length]
  return out
}
const hex = (length: number) => chance(length, '0123456789abcdef')
const pem = (type: 'rsa' | 'ec' | 'ed25519', encoding: 'pkcs1' | 'pkcs8' | 'sec1' = 'pkcs8', cipher?: string) => {
  const options = type === 'rsa' ? { modulusLength: 1024 } : type === 'ec' ? { namedCurve: 'P-256' } : {}
  const { privateKey } = generateKeyPairSync(type as 'rsa', options as { modulusLength: number })
  const protection = cipher === undefined ? {} : { cipher, passphrase: 'x' }
  return privateKey.export({ type: encoding, format: 'pem', ...protection } as {
    type: 'pkcs8'
    format: 'pem'
  }) as string
}
// Assembled here, so that no scanner reports this file as a leak.
const join = (...parts: string[]) => parts.join('')

describe('a text that contains a known kind of secret is found', () => {
  const key = pem('rsa')
  test.for<[kind: string, text: string]>([
    ['a key of RSA', key],
    ['of RSA as PKCS#1', pem('rsa', 'pkcs1')],
    ['of RSA, encrypted', pem('rsa', 'pkcs1', 'aes-128-cbc')],
    ['of an elliptic curve', pem('ec', 'sec1')],
    ['of Ed25519, the shortest', pem('ed25519')],
    ['in the JSON of a service account', JSON.stringify({ private_key: key })],
    ['quoted', key.replace(/^/gm, '> ')],
    ['indented in YAML', `tls:\n  key: |\n${key.replace(/^/gm, '    ')}`],
    ['on one line', key.replaceAll('\n', ' ')],
    ['with the line breaks of Windows', key.replaceAll('\n', '\r\n')],
    ['cut off', key.slice(0, 200)],
    ['in base64, as in a kubeconfig', `client-key-data: ${Buffer.from(key).toString('base64')}`],
    ['of an elliptic curve, in base64', Buffer.from(pem('ec', 'sec1')).toString('base64')],
    ['as PKCS#1, in base64', Buffer.from(pem('rsa', 'pkcs1')).toString('base64')],
    [
      'of OpenSSH',
      `-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n${chance(70)}\n`,
    ],
    ['of PGP', `-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n${chance(64)}\n${chance(64)}\n`],
    ['of WireGuard', `[Interface]\nPrivateKey = ${randomBytes(32).toString('base64')}`],
    ['of age', `AGE-SECRET-KEY-1${chance(58, 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L')}`],
    ['of GitHub', join('gh', 'p_', chance(36))],
    ['of GitHub in a URL', join('https://', 'gho_', chance(36), '@github.com/o/r.git')],
    ['of GitHub, fine-grained', join('github_', 'pat_', chance(22), '_', chance(59))],
    ['of GitLab', join('glp', 'at-', chance(20))],
    ['of AWS', join('AK', 'IA', chance(16, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'))],
    ['of AWS, secret', join('aws_secret_', 'access_key = ', chance(40))],
    ['of AWS, secret, in JSON', join('"SecretAccess', `Key": "${chance(40)}"`)],
    ['of Anthropic', join('sk-', 'ant-api03-', chance(93), 'AA')],
    ['of Anthropic, OAuth', join('sk-', 'ant-oat01-', chance(93), 'AA')],
    ['of OpenAI', join('sk-', 'proj-', chance(74), 'T3Blbk', 'FJ', chance(74))],
    ['of Slack', join('xo', 'xb-', '123456789012-1234567890123-', chance(24))],
    [
      'a webhook of Slack',
      join('https://hooks.slack', '.com/services/T0', chance(8), '/B0', chance(8), '/', chance(24)),
    ],
    ['a bot of Telegram', join('1234567', '890:', 'AA', chance(33))],
    ['of Stripe', join('sk_', 'live_', chance(24))],
    ['of Google', join('AI', 'za', chance(35))],
    ['of npm', join('//registry/:_authToken=np', 'm_', chance(36))],
    ['of PyPI', join('py', 'pi-AgEIcHlwaS5vcmc', chance(100))],
    ['of Hugging Face', join('h', 'f_', chance(34, 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'))],
    ['of DigitalOcean', join('do', 'p_v1_', hex(64))],
    ['of SendGrid', join('S', 'G.', chance(22), '.', chance(43))],
    ['of Vault', join('hv', 's.', chance(95))],
    ['of Tailscale', join('ts', 'key-auth-', chance(12), '-', chance(32))],
    ['a signed web token', `${chance(0)}eyJhbGciOiJSUzI1NiJ9.eyJ${chance(60)}.${chance(86)}`],
    ['a token of this hub', mintToken('machine')],
    ['a token of this hub in a header', `Authorization: Bearer ${mintToken('admin')}`],
    ['a join code', `Run it with 7K3M-Q2XD-9HBT-4WZC now`],
    ['a join line', `printf '%s\\n' 'url="http://10.0.3.1:3500/join/${mintJoinCode().toLowerCase()}"'`],
  ])('%s', ([, text]) => {
    expect(findSecret(`Hello,\nhere it is:\n${text}\nBye`)).toMatchObject({ line: expect.toSatisfy(line => line >= 3) })
    expect(findSecret(`(${text})`)).toBeDefined()
  })
})

describe('a text that only resembles one passes', () => {
  test.for<[kind: string, text: string]>([
    ['hashes', ['md5', 'sha1', 'sha256', 'sha512'].map(of => createHash(of).update('x').digest('hex')).join('\n')],
    ['UUIDs', `550e8400-e29b-41d4-a716-446655440000 ${'550e8400-e29b-41d4-a716-446655440000'.toUpperCase()}`],
    ['a lock file', readFileSync('package-lock.json', 'utf8').slice(0, 300_000)],
    ['random bytes in base64', Buffer.from(chance(400_000)).toString('base64')],
    ['random bytes in base64 with line breaks', randomBytes(30_000).toString('base64').replace(/.{76}/g, '$&\n')],
    ['an image in a data URL', `![x](data:image/png;base64,${randomBytes(20_000).toString('base64')})`],
    ['random bytes in base64url', randomBytes(30_000).toString('base64url')],
    [
      'code of this project',
      readFileSync('src/protocol/token.ts', 'utf8') + readFileSync('src/client/secrets.ts', 'utf8'),
    ],
    [
      'pages of this project',
      ['joining', 'security', 'operations', 'protocol'].map(page => readFileSync(`docs/${page}.md`, 'utf8')).join(''),
    ],
    [
      'the example keys of AWS',
      'AKIAIOSFODNN7EXAMPLE aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    ],
    [
      'placeholders',
      'ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx sk_live_your_key_here glpat-XXXXXXXXXXXXXXXXXXXX npm_000000000000000000000000000000000000',
    ],
    ['one that counts up', 'ghp_0123456789abcdefghijklmnopqrstuvwxyz ghp_1234567890abcdefghij1234567890abcdef'],
    ['a prefix alone', 'Tokens begin with ghp_, gho_ or github_pat_; those of Anthropic with sk-ant-api03-…'],
    ['a token of this hub that is made up', `clnt_m_aBcD1234_${'x'.repeat(43)}_000000`],
    [
      'a public key',
      '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEabcdefabcdefabcdefabcdefabcdefabcdef\n-----END PUBLIC KEY-----',
    ],
    ['a public key of SSH', `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${chance(43)} me@host`],
    ['a certificate in base64', Buffer.from(`-----BEGIN CERTIFICATE-----\n${chance(64)}\n`).toString('base64')],
    ['a certificate', `-----BEGIN CERTIFICATE-----\n${chance(64)}\n${chance(64)}\n-----END CERTIFICATE-----`],
    [
      'a private key that was left out',
      '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC...\n-----END PRIVATE KEY-----',
    ],
    [
      'talk of private keys',
      'It begins with -----BEGIN RSA PRIVATE KEY----- and the loader wants a newline behind that line, or it says that no start line was found.',
    ],
    [
      'the web token of every tutorial',
      'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c',
    ],
    ['numbers of cards', '4111-1111-1111-1111 1234-5678-9012-3456'],
    ['the name of a code', 'curl http://10.0.3.1:3500/join/CODE, XXXX-XXXX-XXXX-XXXX or ABCD-EFGH-JKMN-PQRS'],
    [
      'a fingerprint',
      'SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDT36zzJD8cEYyEmK8 sha256//uNiVztksCsDhcc0u9e8BgrJXVGDT36zzJD8cEYyEmK8=',
    ],
    ['a commit and a message id', 'a94a8fe5ccb19ba61c4c0873d391e987982fbbd3 0193e6f0-7a4b-7cde-8f01-23456789abcd'],
  ])('%s', ([, text]) => {
    expect(findSecret(text)).toBeUndefined()
  })
})

test('the refusal names the kind and the line, and contains no part of the secret', () => {
  const secret = join('gh', 'p_', chance(36))
  let refused = ''
  try {
    refuseSecrets(`one\ntwo ${secret}`)
  } catch (error) {
    refused = JSON.stringify(error) + String(error)
  }
  expect(refused).toContain('a token of GitHub (line 2)')
  expect(refused).not.toContain(secret.slice(5, 15))
})

test('the search of a text of maximum length does not take quadratic time', () => {
  for (const part of ['-----BEGIN PRIVATE KEY-----', 'ghp_', 'ey', 'PuTTY-User-Key-File-2:', 'sk-', 'a'])
    expect(findSecret(part.repeat(32_768 / part.length))).toBeUndefined()
}, 5000)
