import { copyFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { tempDir } from '../../../test/support/temp.ts'
import { auditLines } from '../reading/audit-lines.ts'
import { Database } from '../state/store/database.ts'
import { Audit, type AuditNote } from './audit.ts'

const note: AuditNote = {
  actor: 'admin',
  tokenId: 'AAAAAAAA',
  address: '127.0.0.1',
  action: 'revokeMember',
  target: 'alpha',
  detail: null,
  result: 'ok',
}

test('added lines are on disk after a close, and no line can be changed', () => {
  const file = join(tempDir('audit'), 'audit.db')
  const failed: unknown[] = []
  const first = new Audit(file, { onError: error => failed.push(error), now: () => 1000 })
  first.add(note)
  first.close()
  const other = new DatabaseSync(file)
  expect(() => other.exec("update audit set actor = 'somebody'")).toThrow(/never changed/)
  other.close()
  using db = new Database(file, 'reader')
  expect(auditLines(db, { limit: 10 }, () => {})).toEqual({
    lines: [{ ...note, id: 1, at: '1970-01-01T00:00:01.000Z', count: 1 }],
    more: 0,
  })
  expect(failed).toEqual([])
})

test.for<[string, (file: string) => void, number]>([
  ['removed', file => rmSync(file), 2],
  [
    'removed with its log',
    file => {
      for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix)
    },
    2,
  ],
  ['separated from its log', file => rmSync(`${file}-wal`), 2],
  [
    'replaced by an older copy',
    file => {
      rmSync(file)
      copyFileSync(`${file}.old`, file)
    },
    1,
  ],
  [
    'replaced by something else',
    file => {
      rmSync(file)
      writeFileSync(file, 'no database '.repeat(1000))
    },
    1,
  ],
])('after its file was %s, the audit opens the new one and continues to write', ([, harm, count]) => {
  const file = join(tempDir('audit'), 'audit.db')
  new Audit(`${file}.old`, { onError: () => {} }).close()
  const failed: unknown[] = []
  const reported: unknown[] = []
  using audit = new Audit(file, { onError: error => failed.push(error), onBegunAnew: error => reported.push(error) })
  audit.add(note)
  audit.flush()
  harm(file)
  audit.add({ ...note, target: 'beta' })
  audit.flush()
  expect(failed).toEqual([])
  expect(reported).toHaveLength(1)
  using db = new Database(file, 'reader')
  expect(auditLines(db, { limit: 10 }, () => {}).lines.map(({ target }) => target)).toEqual(
    ['beta', 'alpha'].slice(0, count),
  )
})

test('a damaged file is renamed, and the hub starts with a new one', () => {
  const file = join(tempDir('audit'), 'audit.db')
  writeFileSync(file, 'no database '.repeat(1000))
  const reported: unknown[] = []
  using audit = new Audit(file, { onError: error => reported.push(error), onBegunAnew: () => reported.push('anew') })
  audit.add(note)
  audit.flush()
  expect(reported).toEqual(['anew'])
  expect(readdirSync(dirname(file)).filter(name => /^audit\.db\.damaged-/.test(name))).toHaveLength(1)
})
