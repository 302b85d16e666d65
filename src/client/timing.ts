import { ClaudeNetError } from '../protocol/errors.ts'
import { maxExpiryS, maxWithinS, type SendRequest } from '../protocol/messages.ts'
import { type Clock, type Moment, readMoment, readSpanText } from '../text/moment.ts'
import { exactTime } from '../text/zone.ts'

/** The times of delivery and expiry of a message, as typed. */
export interface Typed {
  at?: string | undefined
  expires?: string | undefined
}

/**
 * Returns the times for a send request. A span in `expires` counts from the delivery, as on the hub; a point in time is taken as it is.
 * Throws `invalid`, with a sentence that begins with the field's name.
 */
export function readTiming({ at, expires }: Typed, clock: Clock): Pick<SendRequest, 'at' | 'expiresInS'> {
  const due = at === undefined ? undefined : read('at', at, clock)
  const end = expires === undefined ? undefined : read('expires', expires, clock)
  return {
    ...(due && { at: new Date(due.at).toISOString() }),
    ...(end && { expiresInS: lifeS(end, due, clock) }),
  }
}

/** Parses the time for which a question to several gathers answers; returns seconds. Throws an error that says what is wrong with it. */
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
  if (seconds > maxExpiryS) throw wrong('expires', 'that is too far ahead: a message is kept for a year at most')
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
