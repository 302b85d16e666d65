import { ClaudeNetError, type ErrorBody } from '../../protocol/errors.ts'
import type { QuestionName } from './questions.ts'

/** The files that the reading thread opens. */
export interface Files {
  store: string
  /** Created as needed. */
  wordIndex: string
  audit: string
}

/** Message to the thread, which answers each before it takes the next. `limitMs` is its time limit. */
export interface Question {
  name: QuestionName
  argument: unknown
  limitMs: number
}

/** First message of the thread, sent once it has opened the store. */
export const ready = 'ready'
export type Ready = typeof ready

/**
 * Response of the thread. `error` has the fields to reconstruct an error. `damage` is the error of SQLite where a part of the store could
 * not be read; the rest is returned all the same.
 */
export type Answer = { damage?: string } & (
  | { value: unknown }
  | { refusal: ErrorBody }
  | { error: { message: string; stack?: string; code?: string; errcode?: number } }
)

/** Returns the refusal of a question that exceeds its time limit. */
export function tooLong(): ClaudeNetError {
  return new ClaudeNetError(
    'too_large',
    'There is too much to look through for this question.',
    'Narrow it: search for rarer or longer words, in the messages with one member (with), or before a message (before).',
  )
}
