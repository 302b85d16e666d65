import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tempDir } from '../../../test/support/temp.ts'
import { checkTail } from './check-tail.ts'
import { encodeRecord, type TailRecord } from './tail-format.ts'

const start: TailRecord = { tail: 1, epoch: 'e', seq: 3, schema: 1 }
const tick = (seq: number): TailRecord => ({ entry: { seq, time: 1, command: { type: 'clock.tick' } } })

/** A tail with these records. */
function written(...records: TailRecord[]): string {
  const file = join(tempDir('tail'), 'hub-2026-01-01T00-00-00.000Z.log')
  let crc = 0
  const lines = records.map(record => {
    const encoded = encodeRecord(record, crc)
    crc = encoded.crc
    return encoded.line
  })
  writeFileSync(file, Buffer.concat(lines))
  return file
}

test('a truncated last line is ignored, wherever it is cut and with or without zeros behind it', () => {
  const file = written(start, { epoch: 'f' }, tick(4), tick(5))
  expect(checkTail(file)).toMatchObject({ epoch: 'e', after: 3, seq: 5, entries: 2, tornBytes: 0, isEnded: false })
  const whole = readFileSync(file)
  const last = whole.lastIndexOf('\n', whole.length - 2) + 1
  for (let end = last; end < whole.length; end++) {
    for (const zeros of [0, 1, 7, 5000]) {
      writeFileSync(file, Buffer.concat([whole.subarray(0, end), Buffer.alloc(zeros)]))
      expect(checkTail(file), `cut at ${end}`).toMatchObject({ entries: 1, seq: 4, tornBytes: end - last + zeros })
    }
  }
})

test('every flipped bit and every missing, repeated or moved line is detected', () => {
  const file = written(start, { epoch: 'f' }, tick(4), tick(5))
  const whole = readFileSync(file)
  const expectFound = (bytes: Buffer | string, what: string) => {
    writeFileSync(file, bytes)
    expect(() => checkTail(file), what).toThrow(/is damaged|is not the tail/)
  }
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const changed = Buffer.from(whole)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    expectFound(changed, `bit ${bit & 7} of byte ${bit >> 3}`)
  }
  const lines = whole.toString().split(/(?<=\n)/)
  // The last one may be missing: nobody can tell, unless the tail was ended.
  for (const n of lines.slice(0, -1).keys()) expectFound(lines.toSpliced(n, 1).join(''), `without line ${n}`)
  for (const [n, line] of lines.entries()) expectFound(lines.toSpliced(n, 0, line).join(''), `line ${n} twice`)
  expectFound([lines[0], lines[1], lines[3], lines[2]].join(''), 'two lines in the wrong order')
})

test('a tail with a gap, or that ends before its end record says, is rejected', () => {
  expect(() => checkTail(written(start, tick(4), tick(6)))).toThrow('entry 5 is missing')
  expect(() => checkTail(written(start, tick(4), { end: 6 }))).toThrow('the entries from 5 to 6 are missing')
  expect(checkTail(written(start, tick(4), { end: 4 }))).toMatchObject({ isEnded: true })
})

test.for([
  null,
  7,
  { entry: null },
  { entry: { seq: 4, time: 9e15, command: { type: 'clock.tick' } } },
  { entry: { seq: 4, time: 1 } },
])('a line with the right checksum that is no record is damage: %j', record => {
  const file = written(start, record as unknown as TailRecord)
  expect(() => checkTail(file)).toThrow(/the line at byte \d+ is damaged/)
})
