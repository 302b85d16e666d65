import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../../test/support/random.ts'
import { maxSearchWords, Search, tokensOf } from './search.ts'

const texts = {
  chinese: '数据库迁移已经完成，请检查测试结果',
  mixed: '重跑gen-itgc后50条清零',
  japanese: 'データベースの移行が完了しました',
  thai: 'ฐานข้อมูลเสร็จแล้ว',
  code: 'POL-358 is fixed in node:fs, see C++ and health.base',
  path: "don't panic: path/to/file.ts",
  accents: 'Müller größer ÉCOLE ὈΔΥΣΣΕΎΣ',
  camel: 'getUserName failed in parseHTTPRequest, sha256Sum and POL358',
  snake: 'max_retry_count is ＦＵＬＬ width',
  emoji: 'rocket 🚀launched',
  korean: '데이터베이스 이전 완료',
}

describe.each<[q: string, found: (keyof typeof texts)[]]>([
  ['数据库', ['chinese']],
  ['迁移', ['chinese']],
  ['测试', ['chinese']],
  ['果', ['chinese']],
  ['库迁移已', ['chinese']],
  // Each pair of characters is there, the three in a row are not.
  ['数据移', []],
  ['据库迁 查测', ['chinese']],
  ['itgc', ['mixed']],
  ['gen', ['mixed']],
  ['50', ['mixed']],
  ['条清', ['mixed']],
  ['移行', ['japanese']],
  ['ベース', ['japanese']],
  ['ข้อมูล', ['thai']],
  ['เสร็จ', ['thai']],
  ['POL-358', ['code', 'camel']],
  ['358', ['code', 'camel']],
  ['C++', ['code']],
  ['health.base', ['code']],
  ["don't", ['path']],
  ['muller GROSS', []],
  ['muller', ['accents']],
  ['Größe', ['accents']],
  ['ecole', ['accents']],
  ['οδυσσευς', ['accents']],
  ['UserName', ['camel']],
  ['username', ['camel']],
  ['Name', ['camel']],
  ['getUser', ['camel']],
  ['httpreq', ['camel']],
  ['request', ['camel']],
  ['sername', []],
  ['retry_count', ['snake']],
  ['retry', ['snake']],
  ['full', ['snake']],
  ['🚀', ['emoji']],
  ['launch', ['emoji']],
  ['데이터', ['korean']],
])('%s', (q, found) => {
  test(`is in ${found.join(' and ') || 'none'}`, () => {
    const search = new Search(q)
    const names = Object.keys(texts) as (keyof typeof texts)[]
    expect(names.filter(name => search.isIn(texts[name]))).toEqual(found)
    // By the index nothing is lost, and only what needs its text looked at may come with it.
    for (const name of names) {
      const tokens = [...tokensOf(texts[name])]
      const has = search.terms.every(({ token, isPrefix }) =>
        tokens.some(each => (isPrefix ? each.startsWith(token) : each === token)),
      )
      if (search.needsText) expect(has || !found.includes(name)).toBe(true)
      else expect(has).toBe(found.includes(name))
    }
  })
})

test('a search without a word has no terms', () => {
  for (const q of ['"', '*', '(', '- ! ?', '…', '\u200b']) expect(new Search(q).terms).toEqual([])
})

test('a single letter is a whole word, not a prefix', () => {
  expect(new Search('b').terms).toEqual([{ token: 'b', isPrefix: false }])
  expect(new Search(Array(100).fill('b').join(' ')).terms).toHaveLength(1)
  expect(new Search('a bee').isIn('a beehive')).toBe(true)
  expect(new Search('b').isIn('a beehive')).toBe(false)
})

test('a word that is a prefix of another is not looked up, and too many words are refused', () => {
  expect(new Search('ba bab Babel x').terms.map(({ token }) => token)).toEqual(['babel', 'x'])
  const words = (count: number) => Array.from({ length: count }, (_, index) => `w${index + 10}`).join(' ')
  expect(new Search(words(maxSearchWords)).terms).toHaveLength(maxSearchWords)
  expect(() => new Search(words(maxSearchWords + 1))).toThrow(expect.objectContaining({ code: 'invalid' }))
})

test('a word longer than a token is found by its beginning and as a whole', () => {
  const word = 'x'.repeat(40)
  expect(new Search('xxx').isIn(word)).toBe(true)
  expect(new Search(word).isIn(`${word}y`)).toBe(true)
  expect(new Search(`${word}z`).isIn(`${word}y`)).toBe(false)
})

test.each([
  ['letters that change case', 'aB'.repeat(16 * 1024)],
  ['letters and figures', 'a1'.repeat(16 * 1024)],
  ['short words that change case', 'aBcDeF1 '.repeat(4 * 1024)],
  ['one word', 'x'.repeat(32 * 1024)],
  ['marks on one letter', `a${'\u0301'.repeat(16 * 1024)}`],
  ['unspaced text', Array.from({ length: 10_000 }, (_, n) => String.fromCodePoint(0x4e00 + n)).join('')],
])('the tokens of the largest text of %s are less than three times its size', (_, text) => {
  const characters = [...tokensOf(text)].reduce((sum, token) => sum + token.length, 0)
  expect(characters).toBeLessThan(3 * text.length)
})

test('ASCII texts are split into the same tokens as all others', () => {
  const random = seededRandom(5)
  const characters = 'aabcABC019_ -.é'
  for (let n = 0; n < 500; n++) {
    const text = Array.from({ length: 60 }, () => characters[Math.floor(random() * (n % 2 ? 15 : 8))]!).join('')
    const plain = text.replaceAll('é', 'e')
    // A character of another alphabet, on its own, has it cut the other way.
    expect([...tokensOf(`${plain} я`)].sort()).toEqual([...tokensOf(plain), 'я'].sort())
  }
})
