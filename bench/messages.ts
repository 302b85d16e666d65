import { newMessageId } from '../src/protocol/ids.ts'
import { request } from './load.ts'
import type { Member } from './store.ts'

/** Body of every message: 500 bytes of plain English. */
export const text =
  `The deploy of the billing service stopped half way. ${'Step seven waits for a lock on the invoices table; nobody holds it any more. '.repeat(6)}`
    .slice(0, 499)
    .concat('.')

/** Returns a function whose calls return sends of `from` to `to` as bytes on the wire, each with a new id. */
export function sendsOf(from: Member, to: string): () => string {
  const placeholder = newMessageId()
  const [head, tail] = request('POST', '/v1/messages', from.token, { id: placeholder, to, body: text }).split(
    placeholder,
  )
  return () => `${head}${newMessageId()}${tail}`
}
