import { StatementSync } from 'node:sqlite'

/** Use of SQLite by the main thread. */
export interface Work {
  /** Number of statements that were run, and of rows that they returned. */
  statements: number
  rows: number
  /** Maximum sum of both between two turns of the event loop: other work waits that long. */
  atOnce: number
  /** The distinct texts of the statements. */
  texts: Set<string>
}

/** Counts the use of SQLite by this thread while `action` runs. Not reentrant. */
export async function countWork<T>(action: () => Promise<T> | T): Promise<{ work: Work; result: T }> {
  const work: Work = { statements: 0, rows: 0, atOnce: 0, texts: new Set() }
  const { all, get, run } = StatementSync.prototype
  let now = 0
  function count(statement: StatementSync, rows: number): void {
    work.statements++
    work.rows += rows
    work.texts.add(statement.sourceSQL)
    now += 1 + rows
    work.atOnce = Math.max(work.atOnce, now)
  }
  const counted = (call: (this: StatementSync, ...params: never[]) => unknown) =>
    function (this: StatementSync, ...params: never[]) {
      const result = call.apply(this, params)
      // A row may be an array of its values.
      count(this, call === get ? Number(result !== undefined) : Array.isArray(result) ? result.length : 0)
      return result
    }
  Object.assign(StatementSync.prototype, { all: counted(all), get: counted(get), run: counted(run) })
  let isOver = false
  const look = () => {
    now = 0
    if (!isOver) setImmediate(look)
  }
  setImmediate(look)
  try {
    return { result: await action(), work }
  } finally {
    isOver = true
    Object.assign(StatementSync.prototype, { all, get, run })
  }
}
