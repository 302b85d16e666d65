import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { hubKeyPattern } from '../../protocol/hub-key.ts'
import { identityFile, openIdentity } from './identity.ts'

function place(): string {
  const dir = mkdtempSync(join(tmpdir(), 'claude-net-identity-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return dir
}

test('a hub creates its key at the first start, readable by its own user only, and keeps it', async () => {
  const dir = place()
  const made = await openIdentity(dir)
  expect(made.hubKey).toMatch(hubKeyPattern)
  expect(made.privateKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' })
  expect(statSync(join(dir, identityFile)).mode & 0o777).toBe(0o600)
  const text = readFileSync(join(dir, identityFile), 'utf8')
  expect((await openIdentity(dir)).hubKey).toBe(made.hubKey)
  expect(readFileSync(join(dir, identityFile), 'utf8')).toBe(text)
  expect((await openIdentity(place())).hubKey).not.toBe(made.hubKey)
})

test('its certificate is self-signed and valid until 9999, whatever a clock shows', async () => {
  const { certificate, privateKey } = await openIdentity(place())
  const read = new X509Certificate(certificate)
  expect([read.checkPrivateKey(privateKey), read.verify(read.publicKey)]).toEqual([true, true])
  expect([read.validFrom, read.validTo]).toEqual(['Jan  1 00:00:00 2000 GMT', 'Dec 31 23:59:59 9999 GMT'])
})

test.each([
  ['is no JSON', () => '{'],
  ['lacks the certificate', (text: string) => JSON.stringify({ key: JSON.parse(text).key })],
  ['has no PEM', (text: string) => JSON.stringify({ ...JSON.parse(text), key: 'a key' })],
])('a file that %s is named in the error and not changed', async (_what, damage) => {
  const dir = place()
  const file = join(dir, identityFile)
  await openIdentity(dir)
  const damaged = damage(readFileSync(file, 'utf8'))
  writeFileSync(file, damaged)
  await expect(openIdentity(dir)).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringContaining(file),
    hint: expect.stringContaining('Put a copy of it back.'),
  })
  expect(readFileSync(file, 'utf8')).toBe(damaged)
})

test('a symbolic link in place of identity.json is not followed', async () => {
  const [dir, elsewhere] = [place(), place()]
  await openIdentity(elsewhere)
  symlinkSync(join(elsewhere, identityFile), join(dir, identityFile))
  await expect(openIdentity(dir)).rejects.toMatchObject({ code: 'forbidden' })
})

test("the admin's own certificate and key are read from their files, and refused if they are no pair", async () => {
  const [dir, other] = [place(), place()]
  const files = { certFile: join(dir, 'cert.pem'), keyFile: join(dir, 'key.pem') }
  const write = async (from: string, fields: ('key' | 'certificate')[]) => {
    const { hubKey } = await openIdentity(from)
    const made = JSON.parse(readFileSync(join(from, identityFile), 'utf8'))
    for (const field of fields) writeFileSync(field === 'key' ? files.keyFile : files.certFile, made[field])
    return hubKey
  }
  const hubKey = await write(other, ['key', 'certificate'])
  expect((await openIdentity(dir, files)).hubKey).toBe(hubKey)
  await write(dir, ['key'])
  await expect(openIdentity(dir, files)).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringContaining('does not belong together'),
  })
  await expect(openIdentity(dir, { ...files, keyFile: join(dir, 'none') })).rejects.toMatchObject({
    message: expect.stringContaining('none cannot be read (ENOENT)'),
  })
})
