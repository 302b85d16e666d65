import { describe, expect, test } from 'vitest'
import { HistoryError, type Log, type LogRecord } from '../../src/hub/journal/log.ts'

const bytes = (text: string) => Buffer.from(text)

/** Returns the first `count` records after `after`, as texts with their offsets. */
async function firstOf(log: Log, after: number, count: number): Promise<string[]> {
  const found: LogRecord[] = []
  const end = new AbortController()
  for await (const records of log.follow(after, end.signal)) {
    found.push(...records)
    if (found.length >= count) end.abort()
  }
  return found.map(record => `${record.offset} ${Buffer.from(record.bytes)}`)
}

/** Tests the promises of `hub/journal/log.ts`, for any log. `open` returns two connections to one new history. */
export function logSuite(name: string, open: () => Promise<[Log, Log]>): void {
  describe(`the ${name} log`, () => {
    test('appends a record after the newest, once, even if retried', async () => {
      const [one, other] = await open()
      expect(await one.append(0, bytes('first'))).toBe(true)
      expect(await one.append(0, bytes('first'))).toBe(true)
      expect(await other.append(0, bytes('other'))).toBe(false)
      expect(await other.append(1, bytes('second'))).toBe(true)
      expect(await one.last()).toBe(2)
      expect(await firstOf(one, 0, 2)).toEqual(['1 first', '2 second'])
    })

    test('of concurrent appends at one offset one succeeds', async () => {
      const [one, other] = await open()
      const tries = ['a', 'b', 'c', 'd'].map((text, index) => (index % 2 ? one : other).append(0, bytes(text)))
      const won = (await Promise.all(tries)).flatMap((isThere, index) => (isThere ? ['abcd'[index]] : []))
      expect(won).toHaveLength(1)
      expect(await firstOf(one, 0, 1)).toEqual([`1 ${won[0]}`])
    })

    test('appends nothing after an offset that does not exist', async () => {
      const [one] = await open()
      await expect(one.append(5, bytes('hole'))).rejects.toThrow(HistoryError)
      expect(await one.last()).toBe(0)
    })

    test('is followed from any offset, without a gap between existing and new records', async () => {
      const [one, other] = await open()
      await one.append(0, bytes('a'))
      await one.append(1, bytes('b'))
      const followed = firstOf(other, 1, 3)
      await one.append(2, bytes('c'))
      await one.append(3, bytes('d'))
      expect(await followed).toEqual(['2 b', '3 c', '4 d'])
    })

    test('ends following when its signal aborts, even while no record arrives', async () => {
      const [one] = await open()
      const end = new AbortController()
      const followed = one.follow(0, end.signal)[Symbol.asyncIterator]().next()
      end.abort()
      expect(await followed).toMatchObject({ done: true })
    })

    test('reports that a follower needs trimmed records, and continues for followers further on', async () => {
      const [one] = await open()
      for (let offset = 0; offset < 4; offset++) await one.append(offset, bytes(`${offset + 1}`))
      await one.trim(2)
      await one.trim(1)
      await expect(firstOf(one, 1, 1)).rejects.toThrow(HistoryError)
      expect(await firstOf(one, 2, 2)).toEqual(['3 3', '4 4'])
      expect(await one.append(4, bytes('5'))).toBe(true)
      expect(await one.last()).toBe(5)
    })
  })
}
