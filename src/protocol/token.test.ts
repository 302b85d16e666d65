import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hashToken, mintToken, parseToken, sameHash, tokenPattern } from './token.ts'

const roles = ['machine', 'human', 'admin'] as const

test.each(roles)('a minted token contains its role (%s) and public id, and no two are alike', role => {
  const [token, other] = [mintToken(role), mintToken(role)]
  expect(token).toMatch(tokenPattern)
  expect(parseToken(token)).toEqual({ role, id: token.split('_')[2] })
  expect(token.split('_')[2]).not.toBe(other.split('_')[2])
  expect(token.split('_')[3]).not.toBe(other.split('_')[3])
})

test('an issued token stays valid: its format and checksum are contract', () => {
  const token = `clnt_m_0123ABcd_${'x'.repeat(43)}_2x7jve`
  expect(parseToken(token)).toEqual({ role: 'machine', id: '0123ABcd' })
})

test('every typo, at every position, is detected without the hub', () => {
  const token = mintToken('machine')
  for (let place = 0; place < token.length; place++) {
    const wrong = token[place] === 'a' ? 'b' : 'a'
    expect(parseToken(token.slice(0, place) + wrong + token.slice(place + 1))).toBeUndefined()
  }
})

test('a token that was truncated, doubled, wrapped or surrounded by other text is rejected', () => {
  const token = mintToken('human')
  for (let length = 0; length < token.length; length++) expect(parseToken(token.slice(0, length))).toBeUndefined()
  for (const wrong of [token + token, `${token}\n`, ` ${token}`, `"${token}"`, token.toUpperCase(), `${token}\0`]) {
    expect(parseToken(wrong)).toBeUndefined()
  }
})

test('two swapped characters are detected', () => {
  const token = mintToken('machine')
  for (let place = 16; place < token.length - 8; place++) {
    const [a, b] = [token[place]!, token[place + 1]!]
    if (a === b) continue
    expect(parseToken(token.slice(0, place) + b + a + token.slice(place + 2))).toBeUndefined()
  }
})

test('parsing arbitrary text neither throws nor returns a token', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      expect(parseToken(text)).toBeUndefined()
      expect(parseToken(`clnt_m_${text}`)).toBeUndefined()
    }),
  )
})

test('the stored hash is the SHA-256 of the whole token', () => {
  const token = mintToken('machine')
  expect(hashToken(token).equals(createHash('sha256').update(token).digest())).toBe(true)
})

test('two hashes are equal if all bytes are', () => {
  const hash = hashToken('a')
  const other = Buffer.from(hash)
  other[31]! ^= 1
  expect(sameHash(hash, Buffer.from(hash))).toBe(true)
  expect(sameHash(hash, other)).toBe(false)
  expect(sameHash(hash, hash.subarray(0, 31))).toBe(false)
  expect(sameHash(hash, Buffer.alloc(0))).toBe(false)
})
