import { expect, test } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { messageFor } from './messages.ts'

test('a message with damaged recipients is still shown, repeated and expired by its deliveries, and later ones expire too', () => {
  const made = new TestState()
  const { db } = made.state
  const [ana, ben, cat] = [made.member('ana'), made.member('ben'), made.member('cat')]
  const [damaged, next] = [made.send(ana, ['ben', 'cat'], 60), made.send(ana, 'ben', 60)]
  // What a page of zeros, returned by a damaged disk, leaves of the row.
  db.run(`update message set outcome = '[{"member":' || char(0, 0, 0) where id = ?`, damaged)
  const receipts = (reader: number) =>
    messageFor(db, reader, damaged)?.deliveries.map(({ name, status }) => `${name} ${status}`)
  expect([receipts(ana), receipts(ben)]).toEqual([['ben stored', 'cat stored'], ['ben stored']])
  expect(receipts(made.member('dan'))).toBeUndefined()
  expect(
    made.do({ type: 'message.send', id: damaged, by: ana, to: ['ben', 'cat'], body: 'hello', expiresInS: 60 }),
  ).toMatchObject({ repeated: true, recipients: [{ name: 'ben' }, { name: 'cat' }] })
  made.time += 61_000
  expect(made.do({ type: 'clock.tick' })).toMatchObject({ expired: 3 })
  expect(receipts(ana)).toEqual(['ben expired', 'cat expired'])
  expect(messageFor(db, cat, next)).toBeUndefined()
})
