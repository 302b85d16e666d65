import { StatementSync } from 'node:sqlite'

/** Calls of SQLite by the main thread. */
export interface Work {
  /** Statements that were run, and rows that they returned. */
  statements: number
  rows: number
  /** Most of both together between two looks of the event loop for what else there is: as long as the others wait. */
  atOnce: number
  /** Each text of a statement once. */
  texts: Set<string>
}

/** Counts what this thread asks of SQLite while `action` runs. One at a time. */
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
