import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/**
 * Requests that the hub must refuse, by the number with which the names of their tests begin. Each is tested together with a similar legal
 * request, which succeeds.
 */
const cases: Record<string, string> = {
  A01: 'no token, an empty, malformed or foreign one, on every route',
  A02: 'another name in the body or in a header',
  A03: "another's inbox, read, acked or listened to",
  A04: 'a name that is taken, reserved, or looks like another',
  A05: 'an ack of what is no message, or of what was never received',
  A06: 'a token that counts no more, and the streams it opened',
  A07: 'a token in a URL, a cookie or a body, or in a file that others could read',
  A08: 'a join code used twice, too late, by many at once, or for another name',
  A09: 'guessing tokens and join codes',
  A10: "a web page's Origin, and a name that was pointed here",
  A11: 'what a form of a web page can send',
  A12: 'methods that no route has',
  A13: 'bytes on which two readers could disagree',
  A14: 'too much, by a byte or without end',
  A15: 'JSON that is too deep, too wide, or no Unicode',
  A16: 'names and searches that try to be a query, a pattern or a command',
  A17: 'paths that climb',
  A18: 'clients that are slow, silent, or too many',
  A19: 'floods of messages, and an inbox that is full',
  A20: 'every route with the token of every role',
  A21: "what is another role's to do",
  A22: "another's message id",
  A23: 'a request that was overheard',
  A24: 'asking errors what is inside',
  A25: 'lines of the log and the audit that somebody else writes',
  A26: 'an address that is only claimed',
  A28: 'files that other users of the host could read',
  A29: 'strangers from outside the trusted networks',
  A50: 'what others wrote, on the pages of the console',
  A51: 'a session of the console, and the links that open one',
}

test('every case has a test whose name begins with its number', () => {
  const dir = join(import.meta.dirname, '..')
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
  const text = files.map(name => readFileSync(join(dir, name), 'utf8')).join('\n')
  const named = new Set([...text.matchAll(/\(\s*['"`](A\d\d): /g)].map(([, id]) => id!))
  expect([...named].sort()).toEqual(Object.keys(cases))
})
