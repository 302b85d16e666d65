import { ClaudeNetError } from '../../protocol/errors.ts'
import type { CannotReplay } from '../state/state.ts'
import type { Agreement } from './agreement.ts'
import { HistoryError } from './log.ts'

/** In each place that was tried, the log already had another hub's record: nothing was stored. */
export function noTurn(): ClaudeNetError {
  return new ClaudeNetError(
    'unavailable',
    'The other hubs of this history write so much that this one got no turn.',
    'Nothing was stored. Try again in a moment.',
  )
}

export function outvoted({ differing }: Agreement): HistoryError {
  return new HistoryError(
    `This hub has come to other outcomes than ${differing.join(', ')}, and more hubs agree with those than with this one.`,
    'Report it, with its store and one of theirs; then start this hub with a snapshot of another.',
  )
}

export function tied({ differing }: Agreement): ClaudeNetError {
  return new ClaudeNetError(
    'unavailable',
    `This hub takes no messages: it has come to other outcomes than ${differing.join(', ')}, and as many hubs agree with one side as with the other.`,
    'Its admin finds out which side is wrong, stops those hubs, and starts them with a snapshot of another: claude-net hubs',
  )
}

/** An append failed, and it is not known whether it was carried out. */
export function notWritten(error: Error): ClaudeNetError {
  return new ClaudeNetError(
    'unavailable',
    `The log of the hub could not be written: ${error.message}`,
    'Whether the command was stored is not known. Send it again under the same id in a moment.',
  )
}

/** The log and this hub do not belong together; `hint` is for the admin. */
export function unfit({ message, hint }: HistoryError | CannotReplay): ClaudeNetError {
  return new ClaudeNetError('unavailable', `The hub takes no messages: ${message}`, hint)
}

export function diskFull(): ClaudeNetError {
  return new ClaudeNetError(
    'unavailable',
    "The hub's disk is full.",
    'It may be stored already. Free space on the hub, then send it again under the same id.',
  )
}

export function notYetInForce(): ClaudeNetError {
  return new ClaudeNetError(
    'unavailable',
    'Not all hubs of this history support this yet.',
    'It can be used once each of them is upgraded: claude-net hubs shows which are not.',
  )
}
