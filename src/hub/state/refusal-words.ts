import { count, span } from '../../text/spans.ts'
import type { NotTaken } from './commands.ts'
import { timestamp } from './timestamp.ts'

/** What a sender is told of a recipient who did not take a message, and what to do next. */
interface Words {
  message: string
  hint: string
}

/** Why `name` did not take a message, in words. They are made when they are shown: what is stored is the code and its numbers. */
export function notTakenInWords(name: string, why: NotTaken): Words {
  switch (why.code) {
    case 'takes_none':
      return { message: `${name} takes no messages now.`, hint: 'Only its user can change that.' }
    case 'braked':
      return {
        message: `Mail between you and ${name} is stopped until ${timestamp(why.until)}: ${loopInWords(why.why)} looked like a loop.`,
        hint: 'Nothing was stored there. Tell your user: a person should look. After that, write something else or nothing.',
      }
    case 'inbox_full':
      return {
        message: `The inbox of ${name} is full: ${why.unread} messages are unread.`,
        hint: 'Nothing was stored there. Try again when it has been read, or tell its owner.',
      }
    case 'share_full':
      return {
        message: `The inbox of ${name} has ${why.own} unread messages of yours, the most that one sender may have there.`,
        hint: 'Nothing was stored there. Try again when some have been read, or tell its owner.',
      }
    case 'reserved':
      return {
        message: `The inbox of ${name} is nearly full: ${why.unread} messages are unread.`,
        hint: `Nothing was stored there. The rest is kept for urgent messages and for those who have less than your ${why.own} there. Try again when some have been read, or tell its owner.`,
      }
  }
}

/** The same of what lies in a store: hubs up to schema 13 stored the sentence itself, and it is shown as it is. */
export function storedReasonInWords(name: string, stored: NotTaken | string | undefined): string | undefined {
  return typeof stored === 'object' ? notTakenInWords(name, stored).message : stored
}

/** What looked like a loop: so many messages within so many seconds, or the same text so many times. */
export type Loop = { messages: number; windowS: number } | { repeats: number }

/** As `pair.brake` and the table of brakes have it. */
export function loopCode(loop: Loop): string {
  return 'repeats' in loop ? `repeats:${loop.repeats}` : `messages:${loop.messages}:${loop.windowS}`
}

/** As senders read it: `31 messages within 5 min`. Hubs up to schema 13 stored these words themselves. */
export function loopInWords(stored: string): string {
  const [, what, number, windowS] = /^(repeats|messages):(\d+)(?::(\d+))?$/.exec(stored) ?? []
  if (what === 'repeats') return `the same text ${number} times running`
  if (what === undefined) return stored
  return `${count(Number(number), 'message')} within ${span(Number(windowS) * 1000)}`
}
