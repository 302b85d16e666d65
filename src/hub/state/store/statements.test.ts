import { constants, DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { Statements } from './statements.ts'

test('a statement whose LIMIT is a parameter is prepared once for all values', () => {
  using sqlite = new DatabaseSync(':memory:')
  sqlite.exec('create table t (n integer primary key); insert into t values (1), (2), (3)')
  // SQLite asks for authorization while it prepares a statement, and at no other time.
  let asked = 0
  sqlite.setAuthorizer(() => {
    asked++
    return constants.SQLITE_OK
  })
  const statements = new Statements(sqlite)
  const sql = 'select n from t where n > ?1 order by n limit ?2'
  expect(statements.all(sql, 0, 1)).toEqual([{ n: 1 }])
  const once = asked
  expect(once).toBeGreaterThan(0)
  expect(statements.all(sql, 0, 2)).toEqual([{ n: 1 }, { n: 2 }])
  expect(statements.all(sql, 1, 3)).toEqual([{ n: 2 }, { n: 3 }])
  expect(asked).toBe(once)
})
