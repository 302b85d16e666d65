import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { tempDir } from '../../../test/support/temp.ts'
import { TestState } from '../../../test/support/test-state.ts'
import { hashConsoleSecret } from '../../protocol/console-secret.ts'
import { startNewHistory } from './new-history.ts'

test('a restore revokes links to the console and its sessions, which may have been used or ended since the backup', () => {
  const [dir, hash] = [tempDir('restored'), (text: string) => hashConsoleSecret(text).toString('base64')]
  const made = new TestState(join(dir, 'before'))
  const member = made.member('sean', 'human')
  for (const secret of ['one', 'two'])
    made.do({ type: 'console.link', member, via: 'here', hash: hash(secret), lifeS: 600 })
  made.do({
    ...{ type: 'console.open', linkHash: hash('one'), id: 'aaaaaaaa', cookieHash: hash('c'), tabHash: hash('t') },
    ...{ lifeS: 600, address: '10.0.3.9', browser: 'a program', replaces: [] },
  })
  made.state.close()
  const [replaced, restored] = [join(dir, 'before', 'hub.db'), join(dir, 'restored.db')]
  copyFileSync(replaced, restored)
  startNewHistory(restored, replaced)
  using db = new DatabaseSync(restored)
  for (const table of ['console_link', 'console_session'])
    expect(db.prepare(`select 1 from ${table}`).all()).toEqual([])
  expect(db.prepare('select name from member where id > 0').all()).toMatchObject([{ name: 'sean' }])
})
