import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { seededRandom } from '../../../../test/support/random.ts'
import { tempDir } from '../../../../test/support/temp.ts'
import { TestState } from '../../../../test/support/test-state.ts'
import { newMessageId } from '../../../protocol/ids.ts'
import { Database } from '../store/database.ts'
import { Search } from './search.ts'
import { WordIndex } from './word-index.ts'

const all = { before: Number.MAX_SAFE_INTEGER }
const noCheck = () => {}

function start(names = ['ana', 'ben', 'cat', 'dan']) {
  const dir = tempDir('words')
  const made = new TestState(dir)
  return { dir, made, ids: names.map(name => made.member(name)), names }
}

test('a search finds exactly the matching messages that its reader sent or received, with any partner and page by page', () => {
  const { made, ids, names } = start()
  const random = seededRandom(11)
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)]!
  const vocabulary = ['walrus', 'walnut', 'getWalletName', '数据库', '据库', 'wal-358', 'wand']
  const sent: { seq: number; sender: number; readers: number[]; body: string }[] = []
  for (let round = 0; round < 6; round++) {
    const first = made.state.position.seq + 1
    const sends = Array.from({ length: 40 }, () => {
      const to = [...new Set([pick(names), pick(names), ...(random() < 0.2 ? names : [])])]
      const body = Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(vocabulary)).join(' ')
      return { type: 'message.send' as const, id: newMessageId(), by: pick(ids), to, body }
    })
    made.doAtOnce(sends)
    for (const [index, { by, to, body }] of sends.entries()) {
      sent.push({ seq: first + index, sender: by, readers: [by, ...to.map(name => ids[names.indexOf(name)]!)], body })
    }
    // The last rounds stay for whoever looks through what is not indexed.
    if (round < 4) while (made.words.step().more);
  }
  for (const q of [...vocabulary, 'wal', 'wal 数据', 'wa', 'name', '数据库 据库', 'nothing']) {
    const search = new Search(q)
    for (const reader of ids) {
      for (const other of [undefined, ...ids]) {
        const expected = sent
          .filter(({ readers, body }) => readers.includes(reader) && search.isIn(body))
          .filter(
            ({ sender, readers }) =>
              other === undefined ||
              (sender === reader && readers.slice(1).includes(other)) ||
              (sender === other && readers.slice(1).includes(reader)),
          )
          .map(({ seq }) => seq)
          .reverse()
        const seqs = (filter: object) => made.history(reader, { q, with: other, ...filter }).map(seqOf(made))
        expect(seqs({ limit: 1000 })).toEqual(expected)
        const middle = expected[expected.length >> 1]
        if (middle) expect(seqs({ limit: 3, before: middle })).toEqual(expected.filter(seq => seq < middle).slice(0, 3))
      }
    }
  }
})

function seqOf({ state }: TestState) {
  return (id: string) => state.db.get<{ seq: number }>('select seq from message where id = ?', id)!.seq
}

test('the cost of a search does not depend on messages that its reader cannot read', () => {
  const { made, ids } = start()
  const [ana, ben, cat] = ids as [number, number, number]
  made.send(ana, 'ben', undefined, 'a word of ours')
  for (let n = 0; n < 300; n++) made.send(cat, ['dan', 'ben'], undefined, `secret ${n}`)
  while (made.words.step().more);
  const looks = (reader: number, q: string) => {
    let count = 0
    const found = [...made.words.find(new Search(q), { reader, ...all }, () => void count++)]
    return { count, found: found.length }
  }
  expect(looks(ana, 'secret')).toEqual({ ...looks(ana, 'nowhere'), found: 0 })
  expect(looks(ana, 'se')).toEqual({ ...looks(ana, 'zz'), found: 0 })
  expect(looks(ben, 'secret').found).toBe(300)
})

test('a full part is followed by another, and the newest matches come first', () => {
  const { made, ids } = start()
  const [ana] = ids as [number]
  let word = 0
  const body = () => Array.from({ length: 4000 }, () => `b${(word++).toString(36)}`).join(' ')
  for (let n = 0; n < 50; n++) made.send(ana, 'ben', undefined, `${body()} walrus`)
  while (made.words.step().more);
  let looks = 0
  const found = [...made.words.find(new Search('walrus'), { reader: ana, ...all }, () => void looks++)]
  expect(found).toHaveLength(50)
  expect(found).toEqual(found.toSorted((a, b) => b - a))
  expect(looks).toBeGreaterThan(found.length + 1)
  const [newest] = made.words.find(new Search('walrus'), { reader: ana, ...all }, noCheck)
  expect(newest).toBe(made.state.position.seq)
})

test('a search ends where its check throws', () => {
  const { made, ids } = start()
  made.send(ids[0]!, 'ben', undefined, 'walrus')
  made.words.step()
  const stop = () => {
    throw new Error('enough')
  }
  expect(() => [...made.words.find(new Search('walrus'), { reader: ids[0]!, ...all }, stop)]).toThrow('enough')
})

test('an index is continued when it is opened again; one that is damaged, of another version or another history is rebuilt', () => {
  const { dir, made, ids } = start()
  const [ana] = ids as [number]
  for (let n = 0; n < 250; n++) made.send(ana, 'ben', undefined, 'walrus')
  const path = join(dir, 'other.db')
  const open = () => {
    const words = new WordIndex(path, made.state.db)
    onTestFinished(() => words.close())
    return words
  }
  const found = (words: WordIndex) => [...words.find(new Search('walrus'), { reader: ana, ...all }, noCheck)].length
  const first = open()
  expect(first.step().more).toBe(true)
  const { seq } = first
  first.close()
  const again = open()
  expect([again.seq, found(again)]).toEqual([seq, 200])
  while (again.step().more);
  expect(found(again)).toBe(250)
  again.close()
  // Each start of a hub begins an epoch of the same history.
  made.state.enterEpoch('next')
  made.send(ana, 'ben', undefined, 'walrus')
  const next = open()
  expect(next.seq).toBe(made.state.position.seq - 1)
  next.step()
  expect(found(next)).toBe(251)
  next.close()

  const broken: [string, () => void][] = [
    ['another version', () => change(path, 'update progress set version = 0')],
    ['another history', () => change(path, "update progress set epoch = 'other'")],
    ['a history that went back', () => change(path, 'update progress set seq = 1000000')],
    ['no database', () => writeFileSync(path, 'x'.repeat(10_000))],
    ['an empty file', () => writeFileSync(path, '')],
  ]
  for (const [what, break_] of broken) {
    break_()
    const anew = open()
    expect(anew.seq, what).toBe(0)
    while (anew.step().more);
    expect(found(anew), what).toBe(251)
    anew.close()
  }
})

function change(path: string, sql: string): void {
  using db = new Database(path, 'index')
  db.run(sql)
}
