import { ClaudeNetError } from '../protocol/errors.ts'

/** The command line asks for something that the command does not do: exit status 2. */
export class UsageError extends ClaudeNetError {
  /** Every error of the other bundles counts as an instance of this class too; this field does not. */
  readonly isUsage = true

  constructor(message: string, hint: string) {
    super('invalid', message, hint)
  }
}
