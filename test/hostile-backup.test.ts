import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { checkBackup } from '../src/hub/keeping/check-backup.ts'
import { copyStore } from '../src/hub/keeping/copy-store.ts'
import { drill, restore } from '../src/hub/keeping/restore.ts'
import { goldenFile } from './support/golden.ts'
import { tempDir } from './support/temp.ts'
import { TestState } from './support/test-state.ts'

/** Creates a valid backup of a small store. */
function backup(): string {
  const dir = tempDir('hostile')
  const made = new TestState(join(dir, 'data'))
  const ana = made.member('ana')
  made.member('ben')
  made.send(ana, 'ben')
  const file = join(dir, 'backup.db')
  copyStore(join(dir, 'data', 'hub.db'), file, () => {})
  return file
}

test.each([
  ['a trigger', 'create trigger helpful after insert on message begin delete from token; end', /trigger helpful/],
  ['a view', 'create view members as select * from member', /view members/],
  ['an index', 'create index by_body on message (upper(body))', /index by_body/],
  ['a table', 'create table note (text text)', /table note/],
  ['a column', `alter table member add column more text default 'x'`, /table member is not as/],
  ['one index less', 'drop index message_due', /index message_due is missing/],
])(
  'a backup with %s more or other than this program makes is invalid: it fails verification, drill and restore',
  (_, sql, says) => {
    const file = backup()
    {
      using db = new DatabaseSync(file)
      db.exec(sql)
    }
    for (const use of [() => checkBackup(file), () => drill(file), () => restore(file, tempDir('restored'))]) {
      expect(use).toThrow(says)
    }
  },
)

test('a backup whose last change has an impossible time is invalid', () => {
  const file = backup()
  {
    using db = new DatabaseSync(file)
    db.exec('update position set time = 9000000000000000')
  }
  expect(() => checkBackup(file)).toThrow(/not a good backup: its last change has no time/)
})

test.each(['hub-v1.db', 'hub-v2.db'])(
  'the store of an earlier version, %s, is restored as that version made it',
  name => {
    const file = join(tempDir('earlier'), name)
    copyFileSync(goldenFile(name), file)
    expect(checkBackup(file).schema).toBeGreaterThan(0)
  },
)

test('a valid one is restored', () => {
  const dir = tempDir('restored')
  expect(restore(backup(), dir).backup.messages).toBe(1)
})
