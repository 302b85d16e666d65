import { expect, test } from 'vitest'
import type { Receipt } from '../../protocol/messages.ts'
import { lifeOf } from './timeline.ts'

const at = (minute: number) => `2026-11-27T12:${String(minute).padStart(2, '0')}:00.000Z`
const receipt = (name: string, more: Partial<Receipt>): Receipt => ({
  ...{ name, kind: 'machine', status: 'stored', online: true, lastSeenAt: null },
  ...more,
})
const message = {
  ...{ id: 'q', seq: 7, from: 'ana', fromKind: 'human' as const, to: ['back'], sentAt: at(1) },
  ...{ intent: 'request' as const, body: 'Which port?' },
}
const life = (receipts: Receipt[], more: object = {}) =>
  lifeOf({ message: { ...message, ...more }, receipts }).map(
    ({ at, kind, who, what }) => `${new Date(at).getUTCMinutes()} ${kind} ${who ?? '-'}: ${what}`,
  )

test('the life of a message is listed step by step, in order of time over all recipients', () => {
  const receipts = [
    receipt('ben', {
      ...{ project: 'billing', status: 'acked', toldAt: at(2), toldHow: 'wake', fetchedAt: at(3) },
      ...{ shownTo: { session: 's1', project: 'billing' }, ackedAt: at(6), answeredAt: at(6), answerId: 'a' },
    }),
    receipt('cat', { status: 'expired', toldAt: at(4), toldHow: 'hook', expiredAt: at(5) }),
    receipt('dan', { status: 'refused', reason: 'takes no mail' }),
    receipt('eve', { heldSince: at(1) }),
  ]
  expect(life(receipts)).toEqual([
    '1 sent -: sent by ana',
    '1 stored ben/billing: stored',
    '1 stored cat: stored',
    '1 refused dan: refused, takes no mail',
    '1 held eve: held for its user',
    '2 woken ben/billing: a session was woken for it, reported by the client',
    '3 shown ben/billing: shown to session s1 in billing, reported by the client',
    '4 told cat: a session was notified by a hook, reported by the client',
    '5 expired cat: expired',
    '6 acked ben/billing: acked',
    '6 answered ben/billing: answered',
  ])
  expect(lifeOf({ message, receipts }).at(-1)).toMatchObject({ answerId: 'a' })
})

test('a scheduled message was written before it was sent', () => {
  expect(life([], { writtenAt: at(0) })).toEqual(['0 written -: scheduled by ana', '1 sent -: sent as scheduled'])
})
