import { ClaudeNetError, type ErrorBody } from '../../protocol/errors.ts'
import type { AskName } from './asks.ts'

/** The files that the reading thread opens. */
export interface Files {
  store: string
  /** Made as needed. */
  wordIndex: string
  audit: string
}

/** What is sent to the thread; it answers each before it takes the next. `limitMs` is how long it may take. */
export interface Question {
  name: AskName
  argument: unknown
  limitMs: number
}

/** What the thread says once it has opened the store. */
export const ready = 'ready'
export type Ready = typeof ready

/**
 * What comes back. `error` is what is needed to make the same error again. `damage` is what SQLite said where the store could not be
 * read; what can be read is answered all the same.
 */
export type Answer = { damage?: string } & (
  | { value: unknown }
  | { refusal: ErrorBody }
  | { error: { message: string; stack?: string; code?: string; errcode?: number } }
)

/** The refusal of an ask that takes longer than it may. */
export function tooLong(): ClaudeNetError {
  return new ClaudeNetError(
    'too_large',
    'There is too much to look through for this question.',
    'Narrow it: search for rarer or longer words, with one member (with), or in what is older than a message (before).',
  )
}
