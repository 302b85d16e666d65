import { expect, test } from 'vitest'
import { LogDestination } from './log-destination.ts'

/** A destination on a disk with `room` bytes, and the text on that disk. */
function start(room: number) {
  const disk = { room, text: '' }
  const write = (_fd: number, bytes: Uint8Array) => {
    const count = Math.min(disk.room, bytes.length)
    if (count === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    disk.room -= count
    disk.text += Buffer.from(bytes.subarray(0, count)).toString()
    return count
  }
  return { disk, log: new LogDestination({ write }) }
}

test('on a full disk lines are dropped without an error, and their number is logged once there is room', () => {
  const { disk, log } = start(8)
  for (let n = 1; n <= 4; n++) log.write(`line ${n}\n`)
  expect(disk.text).toBe('line 1\nl')
  disk.room = 10_000
  log.write('line 5\n')
  const lines = disk.text.split('\n')
  expect([lines[0], lines[1], lines[3], lines[4]]).toEqual(['line 1', 'l', 'line 5', ''])
  expect(JSON.parse(lines[2]!)).toMatchObject({ level: 40, lines: 3 })
  log.write('line 6\n')
  expect(disk.text.endsWith('line 5\nline 6\n')).toBe(true)
})

test('writing to a full or a broken pipe does not throw', () => {
  let code = 'EAGAIN'
  const log = new LogDestination({
    write: () => {
      throw Object.assign(new Error(code), { code })
    },
  })
  log.write('line 1\n')
  code = 'EPIPE'
  log.write('line 2\n')
})

test("for systemd's journal each line begins with its priority", () => {
  let text = ''
  const write = (_fd: number, bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString()
    return bytes.length
  }
  const log = new LogDestination({ isJournal: true, write })
  for (const level of [30, 40, 50, 60]) log.write(`{"level":${level},"msg":"x"}\n`)
  expect(text.split('\n').map(line => line.slice(0, 3))).toEqual(['<6>', '<4>', '<3>', '<2>', ''])
})
