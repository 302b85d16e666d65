import { expect, test } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { newMessageId } from '../../../protocol/ids.ts'
import type { CommandOf, ResultOf } from '../commands.ts'
import { unreadAfter, unreadCount } from '../query/inbox.ts'
import { messageFor } from '../query/messages.ts'
import { someProjects, unreadElsewhere } from '../query/projects.ts'
import { refused } from '../refusal-words.ts'
import { nextForgotten } from './projects.ts'

const dayMs = 86_400_000

function message(by: number, to: string[]): CommandOf<'message.send'> {
  return { type: 'message.send', id: newMessageId(), by, to, body: 'hello' }
}

function start() {
  const made = new TestState()
  const [ana, ben] = [made.member('ana'), made.member('ben')]
  const see = (by: number, ...projects: string[]) =>
    projects.map(project => made.do({ type: 'project.see', by, project }).isNew)
  const send = (to: string | string[], more: { fromProject?: string; replyTo?: string; by?: number } = {}) => {
    const command: CommandOf<'message.send'> = { ...message(ana, [to].flat()), ...more }
    return made.apply(command)
  }
  const sent = (...args: Parameters<typeof send>): ResultOf<CommandOf<'message.send'>> => {
    const outcome = send(...args)
    if (!outcome.ok) throw refused(made.state.db, outcome.refusal)
    return outcome.result
  }
  const counts = (member: number, ...scopes: (string | undefined)[]) =>
    scopes.map(scope => {
      const unread = unreadAfter(made.state.db, member, 0, 100, { scope }).length
      expect(unreadCount(made.state.db, member, scope)).toBe(unread)
      return unread
    })
  const names = (member: number) =>
    someProjects(made.state.db, member, { first: [], limit: 1000 })
      .projects.map(({ name }) => name)
      .sort()
  return { made, db: made.state.db, ana, ben, see, send, sent, counts, names }
}

test('above 200 projects the least recently seen one is deleted; its messages stay', () => {
  const { made, ben, see, send, counts, names } = start()
  expect(see(ben, 'oldest', 'second', 'oldest')).toEqual([true, true, false])
  expect(send('ben/second').ok).toBe(true)
  for (let n = 0; n < 198; n++) {
    made.time += 1000
    see(ben, `p${n}`)
  }
  expect(names(ben)).toHaveLength(200)
  see(ben, 'oldest')
  made.time += 1000
  see(ben, 'one-more')
  expect(names(ben)).toHaveLength(200)
  expect(names(ben)).toContain('oldest')
  expect(names(ben)).not.toContain('second')
  expect(send('ben/second')).toMatchObject({ ok: false, refusal: { code: 'not_found' } })
  expect(counts(ben, undefined, '', 'second')).toEqual([1, 0, 1])
})

test('a project is deleted 90 days of steady time after it was last seen, whatever the wall clock shows', () => {
  const { made, db, ben, see, send, sent, counts, names } = start()
  see(ben, 'shop')
  sent('ben/shop')
  made.clockOffset = 1000 * dayMs
  made.time += 1060 * dayMs
  see(ben, 'shop', 'billing')
  made.time += 90 * dayMs - 1
  made.do({ type: 'clock.tick' })
  expect(names(ben)).toEqual(['billing', 'shop'])
  expect(nextForgotten(db)).toBe(made.time - made.clockOffset + 1)
  made.time += 1
  see(ben, 'billing')
  made.do({ type: 'clock.tick' })
  expect(names(ben)).toEqual(['billing'])
  expect(send('ben/shop').ok).toBe(false)
  // Its unread messages are shown to sessions that read all projects.
  expect(counts(ben, undefined, '', 'billing', 'shop')).toEqual([1, 0, 0, 1])
})

test('projects stay when their machine is renamed, revoked or given an alias, and are deleted with it', () => {
  const { made, db, ben, see, sent, counts, names } = start()
  see(ben, 'shop')
  sent('ben/shop')
  made.do({ type: 'member.rename', name: 'ben', to: 'benclaude' })
  made.do({ type: 'alias.set', alias: 'benny', member: 'benclaude' })
  made.do({ type: 'member.revoke', name: 'benclaude' })
  expect(sent('Benny/Shop').recipients).toMatchObject([{ name: 'benclaude', project: 'shop' }])
  expect(sent('@benclaude / @shop').recipients).toMatchObject([{ project: 'shop' }])
  expect(counts(ben, 'shop', '')).toEqual([3, 0])
  made.do({ type: 'member.delete', name: 'benclaude' })
  expect(names(ben)).toEqual([])
  expect(db.get('select (select count(*) from project) + (select count(*) from project_inbox) as n')).toEqual({ n: 0 })
  expect(db.get('select project_unread as n from member where id = ?', ben)).toEqual({ n: 0 })
  expect(made.apply({ type: 'project.see', by: ben, project: 'shop' })).toMatchObject({ ok: false })
  // A new machine of this name has none of them.
  const again = made.member('benclaude')
  expect(names(again)).toEqual([])
})

test('an address without such a project is refused before anything is written, with the nearest name', () => {
  const { made, db, ana, ben, see, send } = start()
  made.member('sean', 'human')
  made.do({ type: 'group.set', group: 'team', members: ['ana', 'ben'] })
  see(ben, 'billing', 'shop')
  see(ana, 'web')
  const before = made.state.position.seq
  const why = (to: string | string[]) => {
    const outcome = send(to)
    if (outcome.ok) throw new Error('It was stored.')
    const { code, message, hint } = refused(db, outcome.refusal)
    return `${code}: ${message} ${hint}`
  }
  expect(why('ben/biling')).toBe(
    "not_found: ben has no project 'biling'. Nothing was sent. Did you mean ben/billing? A project is known for 90 days after a session of it ran. 'ben' alone reaches whichever of its sessions reads next.",
  )
  expect(why('ben/web')).toContain('Did you mean')
  for (const hostile of [
    'ben/',
    'ben//',
    'ben/a/b',
    'ben/../shop',
    "ben/' or 1=1",
    'ben/\u0000',
    'ben/ſhop',
    'ben/__proto__',
  ])
    expect(why(hostile)).toMatch(/^not_found: ben has no project/)
  expect(why('sean/billing')).toMatch(/^invalid: sean is a person, and people have no projects\. Nothing was sent\./)
  expect(why('team/billing')).toMatch(/^invalid: team is a group, and groups have no projects\./)
  expect(why('all/billing')).toMatch(/^invalid: 'all' is every machine, and has no projects\./)
  expect(why('nobody/billing')).toMatch(/^not_found: No member is called 'nobody'\./)
  expect(why('/billing')).toMatch(/^not_found: No member is called ''\./)
  expect(why('hub/billing')).toMatch(/^not_found: 'hub' is the hub itself/)
  expect(why(['ben/billing', 'ben/shop'])).toMatch(/^invalid: ben is named more than once, for different projects/)
  expect(why(['ben', 'ben/shop'])).toMatch(/^invalid: ben is named more than once/)
  expect(why(['ben/billing', 'nobody'])).toMatch(/^not_found: No member is called 'nobody'\./)
  expect(db.get('select count(*) as n from message')).toEqual({ n: 0 })
  expect(made.state.position.seq).toBeGreaterThan(before)
  expect(made.apply({ type: 'project.see', by: ben, project: 'Shop/x' })).toMatchObject({
    refusal: { code: 'invalid' },
  })
})

test('a message reaches each machine once; a named project takes precedence over a group or all', () => {
  const { made, ana, ben, see, sent, counts } = start()
  const cat = made.member('cat')
  see(ben, 'shop')
  made.do({ type: 'alias.set', alias: 'benny', member: 'ben' })
  expect(sent(['ben/shop', 'benny/SHOP', 'cat']).recipients).toMatchObject([
    { name: 'ben', project: 'shop' },
    { name: 'cat' },
  ])
  expect(sent(['all', 'ben/shop']).recipients.map(({ name, project }) => [name, project])).toEqual([
    ['ben', 'shop'],
    ['cat', undefined],
  ])
  expect(counts(ben, 'shop', '')).toEqual([2, 0])
  expect(counts(cat, undefined, 'shop')).toEqual([2, 2])
  // A machine may write to a project of its own.
  see(ana, 'web')
  expect(sent('ana/web').recipients).toMatchObject([{ name: 'ana', project: 'web' }])
})

test('an entry from before projects existed treats an address as an unknown name', () => {
  const { made, ana, ben, see } = start()
  see(ben, 'shop')
  const { seq, time, steady } = { ...made.state.position, seq: made.state.position.seq + 1 }
  const command = message(ana, ['ben/shop'])
  const old = { seq, time, steady, command }
  expect(made.state.replay([old])).toMatchObject([{ ok: false, refusal: { why: { code: 'no_recipients' } } }])
  expect(made.state.replay([{ ...old, v: 3, seq: seq + 1 }])).toMatchObject([{ ok: true }])
})

test('acks, replies and expiry update the unread count of each project', () => {
  const { made, db, ana, ben, see, sent, counts } = start()
  see(ben, 'shop', 'billing')
  const ids = ['ben/shop', 'ben/billing', 'ben', 'ben/billing'].map(to => sent(to).id)
  expect(unreadElsewhere(db, ben, '', 20)).toEqual([
    { project: 'billing', unread: 2 },
    { project: 'shop', unread: 1 },
  ])
  const ack = (project: string | undefined, ...which: number[]) =>
    made.do({ type: 'inbox.ack', by: ben, ids: which.map(n => ids[n]!), project })
  expect(ack('shop', 0, 1, 2)).toEqual({ acked: [ids[0], ids[2]], unknown: [ids[1]], unread: 0 })
  expect(ack('shop', 0, 1)).toMatchObject({ acked: [ids[0]], unknown: [ids[1]] })
  expect(counts(ben, undefined, '', 'shop', 'billing')).toEqual([2, 0, 0, 2])
  // A session of another project that answers does not ack a message that it was not shown.
  sent('ana', { by: ben, replyTo: ids[1], fromProject: 'shop' })
  expect(counts(ben, 'billing')).toEqual([2])
  sent('ana', { by: ben, replyTo: ids[1], fromProject: 'billing' })
  expect(counts(ben, 'billing')).toEqual([1])
  expect(ack(undefined, 3)).toMatchObject({ acked: [ids[3]], unread: 0 })
  expect(unreadElsewhere(db, ben, '', 20)).toEqual([])

  const id = newMessageId()
  made.do({ type: 'message.send', id, by: ana, to: ['ben/shop', 'ana'], body: 'soon over', expiresInS: 60 })
  expect(counts(ben, 'shop', '')).toEqual([1, 0])
  made.time += 60_000
  made.do({ type: 'clock.tick' })
  expect(counts(ben, 'shop', undefined)).toEqual([0, 0])
  expect(db.all('select * from project_inbox')).toEqual([])
  expect(messageFor(db, ana, id)!.deliveries).toMatchObject([{ project: 'shop', status: 'expired' }, { name: 'ana' }])
})

test('an answer goes to the project that asked; to any session if that was deleted, or the answer is to a group', () => {
  const { made, ana, ben, see, sent } = start()
  see(ana, 'web')
  const asked = sent('ben', { fromProject: 'web' }).id
  made.do({ type: 'group.set', group: 'team', members: ['ana', 'ben'] })
  const placeOf = (to: string) => sent(to, { by: ben, replyTo: asked }).recipients.map(({ project }) => project)
  expect(placeOf('ana')).toEqual(['web'])
  expect(placeOf('team')).toEqual([undefined])
  made.time += 90 * dayMs
  made.do({ type: 'clock.tick' })
  expect(placeOf('ana')).toEqual([undefined])
})

test('a scheduled message reaches the project of a renamed machine, and is refused if the project was deleted', () => {
  const { made, db, ana, ben, see, counts } = start()
  see(ben, 'shop')
  const later = (days: number, ...others: string[]) => {
    const id = newMessageId()
    const at = made.time + days * dayMs
    made.do({ type: 'message.send', id, by: ana, to: ['ben/shop', ...others], body: 'later', at, fromProject: 'web' })
    return id
  }
  const cat = made.member('cat')
  const [soon, tooLate, partly] = [later(1), later(100), later(100, 'cat')]
  made.do({ type: 'member.rename', name: 'ben', to: 'benclaude' })
  made.time += dayMs
  expect(made.do({ type: 'later.deliver', id: soon })).toMatchObject({ became: 'sent' })
  expect(unreadAfter(db, ben, 0, 10)).toMatchObject([{ project: 'shop', fromProject: 'web' }])
  made.time += 99 * dayMs
  made.do({ type: 'clock.tick' })
  expect(made.do({ type: 'later.deliver', id: tooLate })).toMatchObject({ became: 'refused' })
  expect(made.do({ type: 'later.deliver', id: partly })).toMatchObject({
    became: 'sent',
    recipients: [{ name: 'cat' }],
  })
  expect(counts(ben, undefined)).toEqual([1])
  expect(counts(cat, undefined)).toEqual([1])
})
