import type { ZodError, ZodType } from 'zod'
import { ClaudeNetError } from '../../protocol/errors.ts'

/** Most characters of a description of an invalid request, which could list thousands of unknown fields. */
const maxIssueLength = 300

/** Validates one part of a request. Throws `invalid` with the first problem. */
export function parse(schema: ZodType, value: unknown, part: string): never {
  const result = schema.safeParse(value)
  if (result.success) return result.data as never
  throw invalid(result.error, part)
}

function invalid(error: ZodError, part: string): ClaudeNetError {
  const issue = error.issues[0]!
  if (issue.code === 'unrecognized_keys' && issue.keys.includes('from')) {
    return new ClaudeNetError(
      'forbidden',
      "A request must not carry 'from': the sender is the member to whom the token belongs.",
      'Leave it out.',
    )
  }
  const where = [part, ...issue.path.map(String)].join('.')
  const what = issue.message.length > maxIssueLength ? `${issue.message.slice(0, maxIssueLength)}…` : issue.message
  return new ClaudeNetError('invalid', `${where}: ${what}`, 'Correct the request; nothing was changed.')
}
