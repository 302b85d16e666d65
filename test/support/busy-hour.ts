import type { Command } from '../../src/hub/state/commands.ts'
import { newMessageId } from '../../src/protocol/ids.ts'
import { hashJoinCode } from '../../src/protocol/join-code.ts'
import type { Random } from './random.ts'

const hash = (text: string) => hashJoinCode(text).toString('base64')

/** Commands that add the members ana (1), ben (2), cat (3) and the human sean (4). */
export const busyMembers: Command[] = [
  ...['ana', 'ben', 'cat'].map((name): Command => ({ type: 'member.add', name, kind: 'machine' })),
  { type: 'member.add', name: 'sean', kind: 'human' },
]

/**
 * Yields random commands of members, admins, the bridge and the clock: every kind, repeatedly on the same few objects, some of them
 * refused. The ids of new messages do not depend on `random`.
 */
export function* busyHour(random: Random): Generator<Command> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const names = ['ana', 'ben', 'cat', 'sean', 'all', 'team', 'kit']
  const ids = Array.from({ length: 60 }, () => newMessageId())
  const [by, some] = [() => 1 + Math.floor(random() * 4), () => [pick(ids), pick(ids), pick(ids)]]
  const update = () => Math.floor(random() * 20)
  const kinds: (() => Command)[] = [
    ...Array.from({ length: 8 }, () => (): Command => {
      const body = `${pick(['short', 'a word', 'ä ✓ 𝄞'])} ${'text '.repeat(random() * 100)}`
      const reply = random() < 0.3 ? { replyTo: pick(ids) } : {}
      const life = random() < 0.3 ? { expiresInS: 60 + Math.floor(random() * 86_400) } : {}
      const intent = pick(['request', 'inform', 'urgent'] as const)
      return { type: 'message.send', id: pick(ids), by: by(), to: [pick(names)], body, intent, ...reply, ...life }
    }),
    ...Array.from({ length: 6 }, () => (): Command => {
      const body = 'text '.repeat(random() * 1000)
      const to = random() < 0.7 ? [pick(names)] : [pick(names), pick(names)]
      const reply = random() < 0.3 ? { replyTo: pick(ids) } : {}
      return { type: 'message.send', id: newMessageId(), by: by(), to, body, ...reply }
    }),
    ...Array.from({ length: 4 }, () => (): Command => ({ type: 'inbox.ack', by: by(), ids: some() })),
    () => ({ type: 'inbox.fetched', by: by(), ids: some(), session: 's' }),
    () => ({ type: 'member.policy', by: by(), inbound: pick(['accept', 'hold', 'refuse']), mute: [pick(names)] }),
    () => ({ type: 'member.rename', name: pick(names), to: pick(names) }),
    () => ({ type: 'member.invite', name: pick(names), kind: 'machine', codeHash: hash(pick(ids)), lifeS: 600 }),
    () => ({
      ...{ type: 'member.join', name: pick(names), codeHash: hash(pick(ids)), role: 'machine' },
      ...{ tokenId: pick(ids), tokenHash: hash('t') },
    }),
    () => ({ type: 'token.limit', days: pick([0, 1, 30]) }),
    () => ({
      ...{ type: 'token.renew', by: by(), tokenId: pick(ids), newId: pick(ids), newHash: hash('t') },
      ...{ overlapS: 60, atMost: 3 },
    }),
    () => ({ type: 'member.bind', name: pick(names), ranges: pick([[], ['10.0.0.0/8']]) }),
    () => ({ type: 'member.revoke', name: pick(names) }),
    () => ({ type: 'member.own', name: pick(names), owner: pick(['sean', null]) }),
    () => ({ type: 'member.add', name: 'dan', kind: 'machine', owner: 'sean' }),
    () => ({ type: 'member.delete', name: 'dan' }),
    () => ({
      ...{ type: 'organization.import', members: [{ name: pick(['dan', 'eve', 'team']), kind: 'machine' }] },
      ...{ aliases: [{ alias: 'kim', member: pick(names) }], groups: [{ group: 'crew', members: [pick(names)] }] },
    }),
    () => ({ type: 'alias.set', alias: pick(['kit', 'kim']), member: pick(names) }),
    () => ({ type: 'alias.remove', alias: pick(['kit', 'kim']) }),
    () => ({ type: 'group.set', group: 'team', members: ['ana', 'ben'] }),
    () => ({ type: 'group.remove', group: 'team' }),
    () => ({ type: 'admin.token', tokenId: pick(['root1', 'root2']), tokenHash: hash('t'), replaces: ['root1'] }),
    () => ({ type: 'settings.set', keepTextDays: pick([1, 30]), inboxMessages: pick([100, 10_000]) }),
    () => ({
      type: 'telegram.receive',
      updates: [{ update: update(), kind: 'message', chat: 1, message: update(), content: '{}' }],
    }),
    () => ({ type: 'telegram.handled', update: update(), sent: pick(ids) }),
    () => ({
      ...{ type: 'telegram.sent', chat: 1, message: update(), part: 1, parts: 1 },
      to: [{ person: 4, ids: some() }],
    }),
    () => ({ type: 'telegram.told', of: 'mail', chat: 1, message: 1, machine: 1, ids: some(), upTo: 3 }),
    () => ({ type: 'telegram.viewed', chat: 1, message: update(), ids: some() }),
    () => ({ type: 'telegram.shown', chat: 1, message: update() }),
    () => ({ type: 'telegram.failed', person: 4, id: pick(ids), why: 'blocked' }),
    () => ({ type: 'telegram.candidate', person: 4, user: 7, name: 'Sean' }),
    () => ({ type: 'telegram.confirm', person: 4, user: pick([7, null]) }),
    () => ({ type: 'telegram.place', person: 4, isPrivate: random() < 0.5 }),
    () => ({ type: 'telegram.mute', person: 4, sender: by(), spanS: pick([0, 60, 86_400]) }),
    () => ({ type: 'telegram.follow', machine: by(), afterS: pick([null, -1, 60]) }),
    () => ({ type: 'telegram.move', from: 1, to: update() }),
    () => ({ type: 'telegram.ask', key: `${update()}`, person: 4, content: '{}', lifeS: 60 }),
    () => ({
      ...{ type: 'pair.brake', from: 1, to: 2, until: 1.8e12, why: pick(['repeats:5', 'messages:31:300']) },
      notice: { id: newMessageId(), body: 'stop' },
    }),
    () => ({ type: 'pair.release', one: 'ana', other: 'ben' }),
    () => ({ type: 'clock.tick' }),
  ]
  for (;;) yield pick(kinds)()
}
