import { ClaudeNetError } from '../protocol/errors.ts'
import { maxExpiryS, maxWithinS, type SendRequest } from '../protocol/messages.ts'
import { type Clock, type Moment, readMoment, readSpanText } from '../text/moment.ts'
import { exactTime } from '../text/zone.ts'

/** When a message is to be delivered and to expire, as somebody wrote it. */
export interface Typed {
  at?: string | undefined
  expires?: string | undefined
}

/**
 * The times of a send as it goes to the hub. A span of `expires` counts from the delivery, as the hub counts it; a time is that time. Throws
 * `invalid` with a sentence that begins with the name of what is wrong.
 */
export function readTiming({ at, expires }: Typed, clock: Clock): Pick<SendRequest, 'at' | 'expiresInS'> {
  const due = at === undefined ? undefined : read('at', at, clock)
  const end = expires === undefined ? undefined : read('expires', expires, clock)
  return {
    ...(due && { at: new Date(due.at).toISOString() }),
    ...(end && { expiresInS: lifeS(end, due, clock) }),
  }
}

/** For how long a question to several gathers answers, as somebody wrote it, in seconds. Throws an error that says what is wrong with it. */
export function withinText(text: string): number {
  const seconds = Math.round(readSpanText(text) / 1000)
  if (seconds > maxWithinS) throw new Error('7 days are the most')
  return seconds
}

function lifeS(end: Moment, due: Moment | undefined, { now, timeZone }: Clock): number {
  const from = due?.at ?? now
  const ms = end.spanMs ?? end.at - from
  if (ms <= 0) {
    const [ends, begins] = [exactTime(end.at, timeZone), exactTime(from, timeZone)]
    throw wrong('expires', `${ends} is not after the delivery at ${begins}`)
  }
  const seconds = Math.max(1, Math.round(ms / 1000))
  if (seconds > maxExpiryS) throw wrong('expires', 'that is too far ahead: a message lives a year at most')
  return seconds
}

function read(name: keyof Typed, text: string, clock: Clock): Moment {
  try {
    return readMoment(text, clock)
  } catch (error) {
    throw wrong(name, (error as Error).message)
  }
}

function wrong(name: keyof Typed, what: string): ClaudeNetError {
  return new ClaudeNetError('invalid', `${name}: ${what}.`, 'Nothing was sent.')
}
