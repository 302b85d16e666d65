import { join } from 'node:path'
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

test('what was added is there after a close, and no line is ever changed', () => {
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
