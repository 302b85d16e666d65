import { expect, test } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { newMessageId } from '../../../protocol/ids.ts'
import { unreadAfter } from './inbox.ts'
import { markOvertaken } from './overtaken.ts'

function start() {
  const made = new TestState()
  const [ana, ben, cat] = [made.member('ana'), made.member('ben'), made.member('cat')]
  const send = (by: number, body: string, to = 'cat') =>
    made.do({ type: 'message.send', id: newMessageId(), by, to: [to], body }).id
  /** The texts of a page of cat's inbox, each with the number of newer ones that follow. */
  const marks = (limit = 100, scope?: string) => {
    const { db } = made.state
    const page = unreadAfter(db, cat, 0, limit, { ...(scope !== undefined && { scope }) })
    const lastSeq = page.at(-1)!.seq
    const follows = unreadAfter(db, cat, lastSeq, 1).length > 0
    const marked = markOvertaken(db, cat, page, { lastSeq, follows, scope })
    expect(marked.map(({ newer: _, ...message }) => message)).toEqual(page)
    return marked.map(({ body, newer }) => (newer === undefined ? body : `${body} ${newer}`))
  }
  return { made, ana, ben, cat, send, marks }
}

test('a message has the number of newer ones of its sender, on its page and after it', () => {
  const { made, ana, ben, cat, send, marks } = start()
  send(ana, 'one')
  send(ben, 'other')
  send(ana, 'two')
  const third = send(ana, 'three')
  expect(marks()).toEqual(['one 2', 'other', 'two 1', 'three'])
  expect(marks(1)).toEqual(['one 2'])
  expect(marks(3)).toEqual(['one 2', 'other', 'two 1'])
  made.do({ type: 'inbox.ack', by: cat, ids: [third] })
  expect(marks(1)).toEqual(['one 1'])
})

test('held messages are overtaken only by held ones, others only by others', () => {
  const { made, ana, cat, send, marks } = start()
  send(ana, 'open')
  made.do({ type: 'member.policy', by: cat, inbound: 'hold' })
  send(ana, 'held')
  send(ana, 'held too')
  expect(marks()).toEqual(['open', 'held 1', 'held too'])
  expect(marks(1)).toEqual(['open'])
  expect(marks(2)).toEqual(['open', 'held 1'])
})

test('for a session of a project only the newer messages in its scope count', () => {
  const { made, ana, cat, send, marks } = start()
  for (const project of ['shop', 'web']) made.do({ type: 'project.see', by: cat, project })
  send(ana, 'for shop', 'cat/shop')
  send(ana, 'for web', 'cat/web')
  send(ana, 'for all')
  send(ana, 'for shop again', 'cat/shop')
  expect(marks(1, 'shop')).toEqual(['for shop 1'])
  expect(marks()).toEqual(['for shop 1', 'for web', 'for all', 'for shop again'])
})

test('in a full inbox only the next thousand messages are counted', () => {
  const { made, ana, marks } = start()
  for (let n = 0; n < 12; n++)
    made.doAtOnce(
      Array.from({ length: 100 }, () => ({
        ...{ type: 'message.send' as const, id: newMessageId(), by: ana, to: ['cat'], body: 'again' },
      })),
    )
  expect(marks(2)).toEqual(['again 1001', 'again 1000'])
})
