import { writeFileSync } from 'node:fs'
import { ClaudeNetError } from '../../src/protocol/errors.ts'

/** What a client asks of a hub, by kind. `to` names the inboxes that should get it; `body` is the whole text. */
export interface Acts {
  send: { kind: 'send'; id: string; from: string; to: string[]; body: string }
  read: { kind: 'read'; inbox: string }
  ack: { kind: 'ack'; inbox: string; ids: string[] }
}
export type Act = Acts[keyof Acts]

/** A message as a reader was shown it. */
export interface Seen {
  id: string
  seq: number
  from: string
  body: string
}

/** What the hub answered, by kind of act. `complete` says that nothing unread lay behind the last message of a read. */
export interface Results {
  send: { seq: number }
  read: { messages: Seen[]; complete: boolean }
  ack: { acked: string[]; unknown: string[] }
}

/**
 * One line of a history. `invoke` opens the operation `op`; one of the others ends it:
 *
 *   ok       the hub said yes, with this result
 *   fail     the hub said no for good: nothing was done
 *   unknown  no answer, or one that decides nothing: it was done or not
 *
 * An operation without an end is unknown too. The order of the lines is the order in which things happened at the clients.
 */
export type Line =
  | { op: number; type: 'invoke'; act: Act }
  | { op: number; type: 'ok'; result: Results[keyof Results] }
  | { op: number; type: 'fail' | 'unknown'; why: string }

/** Everything that the clients of one test asked and were told, in order. */
export class History {
  readonly lines: Line[] = []
  #ops = 0

  /** Does `call` as the operation `act`. Answers how it ended; throws what is neither an answer nor the lack of one. */
  async record<A extends Act, T>(
    act: A,
    call: () => Promise<T>,
    toResult: (answer: T) => Results[A['kind']],
  ): Promise<'ok' | 'fail' | 'unknown'> {
    const op = ++this.#ops
    this.lines.push({ op, type: 'invoke', act })
    try {
      this.lines.push({ op, type: 'ok', result: toResult(await call()) })
      return 'ok'
    } catch (error) {
      if (!(error instanceof ClaudeNetError)) throw error
      const type = error.settled ? 'fail' : 'unknown'
      this.lines.push({ op, type, why: `${error.code}: ${error.message}` })
      return type
    }
  }

  /** How many operations have begun and not ended. */
  get underWay(): number {
    return this.lines.reduce((open, { type }) => open + (type === 'invoke' ? 1 : -1), 0)
  }

  /** How many operations of `kind` ended as `type`. */
  count(kind: Act['kind'], type: 'ok' | 'fail' | 'unknown'): number {
    const kinds = new Map(this.lines.flatMap(line => (line.type === 'invoke' ? [[line.op, line.act.kind]] : [])))
    return this.lines.filter(line => line.type === type && kinds.get(line.op) === kind).length
  }

  /** Writes the lines to `path` as JSON, one each. */
  save(path: string): void {
    writeFileSync(path, this.lines.map(line => `${JSON.stringify(line)}\n`).join(''))
  }
}
