import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { gatherOf } from '../../src/hub/http/gather.ts'
import { changesAfter } from '../../src/hub/state/query/changes.ts'
import { unreadAfter, unreadCount, unreadCountAfter } from '../../src/hub/state/query/inbox.ts'
import { laterOf } from '../../src/hub/state/query/later.ts'
import { allGroups, allMembers, mutedBy, tokenById } from '../../src/hub/state/query/members.ts'
import { messageAt, type Sent } from '../../src/hub/state/query/messages.ts'
import { unreadElsewhere } from '../../src/hub/state/query/projects.ts'
import { lateAnswers } from '../../src/hub/state/query/requests.ts'
import type { State } from '../../src/hub/state/state.ts'
import { timestamp } from '../../src/hub/state/timestamp.ts'
import type { Model, ModelDelivery, ModelMessage } from './model.ts'

/** Expects everything readable in a hub's state to equal the model: every inbox, message and receipt, name and token. */
export function expectSame(model: Model, { db }: State, tokens: readonly string[]): void {
  expectSameNames(model, db)
  same(
    db
      .all<{ told: string }>(`select sender || ' ' || what || ' ' || (detail ->> 'id') as told from untold`)
      .map(({ told }) => told)
      .sort(),
    [...model.untold].sort(),
  )
  for (const index of model.names.keys())
    same(
      laterOf(db, index + 1)
        .map(({ id, at, to }) => ({ id, at, to }))
        .sort(byId),
      model.later
        .filter(({ command, ended }) => command.by === index + 1 && !ended)
        .map(({ command: { id, at, to } }) => ({ id, at, to }))
        .sort(byId),
    )
  same(
    tokens.map(id => tokenById(db, id)?.member),
    tokens.map(id => model.tokens.get(id)),
  )
  for (const index of model.names.keys()) expectSameInbox(model, db, index + 1)
}

function expectSameNames(model: Model, db: State['db']): void {
  const aliasesOf = (member: number) => [...model.aliases].filter(([, meant]) => meant === member).map(([name]) => name)
  same(
    allMembers(db).map(({ id, name, aliases, unread }) => ({ id, name, aliases, unread })),
    model.names
      .map((name, index) => ({ id: index + 1, name }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ id, name }) => ({ id, name, aliases: aliasesOf(id).sort(), unread: model.inbox(id).length })),
  )
  same(
    allGroups(db),
    [...model.groups]
      .map(([name, members]) => ({ name, members: members.map(member => model.nameOf(member)).sort() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  )
}

function expectSameInbox(model: Model, db: State['db'], member: number): void {
  const inbox = unreadAfter(db, member, 0, 1000)
  same(
    inbox.map(({ seq: _, ...message }) => message),
    model.inbox(member).map(message => inInbox(model, message, member)),
  )
  const seqs = inbox.map(({ seq }) => seq)
  same(
    seqs,
    [...new Set(seqs)].sort((a, b) => a - b),
  )
  expect(unreadCount(db, member)).toBe(inbox.length)
  const middle = seqs[Math.floor(seqs.length / 2)] ?? 0
  expect(unreadCountAfter(db, member, middle)).toBe(seqs.filter(seq => seq > middle).length)
  same(
    inPages(after => unreadAfter(db, member, after, 2)),
    inbox,
  )
  for (const scope of ['', 'web', 'shop']) {
    const ids = model.inbox(member, scope).map(({ command }) => command.id)
    const scoped = unreadAfter(db, member, 0, 1000, { scope })
    same(
      scoped.map(({ id }) => id),
      ids,
    )
    expect([unreadCount(db, member, scope), unreadCountAfter(db, member, 0, scope)]).toEqual([ids.length, ids.length])
    same(
      changesAfter(db, member, { deliveries: 0, receipts: Number.MAX_SAFE_INTEGER }, 1000, scope).map(({ id }) => id),
      scoped.filter(({ muted }) => !muted).map(({ id }) => id),
    )
    const elsewhere = inbox.filter(({ project }) => project !== undefined && project !== scope).length
    expect(unreadElsewhere(db, member, scope, 20).reduce((sum, { unread }) => sum + unread, 0)).toBe(elsewhere)
  }
  same(mutedBy(db, member), model.muted[member - 1]!.map(sender => model.nameOf(sender)).sort())

  const news = changesAfter(db, member, { deliveries: 0, receipts: 0 }, 1000)
  same(
    inPages(after => changesAfter(db, member, { deliveries: after, receipts: after }, 2)),
    news,
  )
  same(
    news.filter(({ kind }) => kind === 'delivery').map(({ id }) => id),
    model
      .inbox(member)
      .flatMap(({ command, deliveries }) => (deliveries.get(member)!.handling === 'mute' ? [] : [command.id])),
  )
  const receipts = news.flatMap(change =>
    change.kind === 'receipt' ? [`${change.id} ${change.recipient} ${change.status}`] : [],
  )
  same(receipts.sort(), expectedReceipts(model, member).sort())

  const late = lateAnswers(db)
  for (const message of model.messages) {
    const { command, deliveries } = message
    const seq = db.get<{ seq: number }>('select seq from message where id = ?', command.id)!.seq
    const sent = messageAt(db, member, seq, late)
    const seen = sent?.deliveries.map(({ member: _, kind: __, reason: ___, ...receipt }) => receipt)
    if (command.by === member) expectSameGather(model, message, sent!)
    const mine = [...deliveries].filter(([recipient]) => command.by === member || recipient === member)
    same(
      seen ?? [],
      mine.map(([recipient, delivery]) => asReceipt(model, message, recipient, delivery)),
    )
  }
}

function byId(one: { id: string }, other: { id: string }): number {
  return one.id < other.id ? -1 : 1
}

/** Compares as `expect` does, but cheaply when both are equal: it is called a million times. */
function same(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected)
}

function inInbox(model: Model, { command, sentAt, writtenAt, intent, deliveries }: ModelMessage, reader: number) {
  const { id, by, to, body, replyTo, expiresInS, fromProject } = command
  const { fetchedBy, handling, project } = deliveries.get(reader)!
  return {
    id,
    from: model.nameOf(by),
    fromKind: model.kindOf(by),
    to,
    sentAt: timestamp(sentAt),
    intent,
    body,
    ...(fromProject && { fromProject }),
    ...(project && { project }),
    ...(replyTo && { replyTo }),
    ...(expiresInS && { expiresAt: timestamp(sentAt + expiresInS * 1000) }),
    ...(writtenAt && { writtenAt: timestamp(writtenAt) }),
    ...(handling === 'hold' && { held: true }),
    ...(handling === 'mute' && { muted: true }),
    ...(fetchedBy && { fetchedBy: { session: fetchedBy.session, at: timestamp(fetchedBy.at) } }),
  }
}

/** Compares with all members, no members, and the first two online. */
function expectSameGather(model: Model, message: ModelMessage, sent: Sent): void {
  const until = model.gathersUntil(message)
  same(sent.gathersUntil, until)
  if (until === undefined) return
  for (const online of [[], [1, 2], [1, 2, 3, 4]]) {
    const presence = {
      isSettled: true,
      of: (member: number) => ({ online: online.includes(member), lastSeenAt: null }),
    }
    const found = gatherOf({ presence, steadyNow: model.steady }, sent)!
    same([found.open, found.leftMs], [model.gathers(message, online, model.steady), Math.max(0, until - model.steady)])
  }
}

function asReceipt(model: Model, message: ModelMessage, recipient: number, delivery: ModelDelivery) {
  const name = model.nameOf(recipient)
  const { status, handling, project, fetchedBy, told, endedAt } = delivery
  const answer = status === 'refused' ? undefined : model.answerOf(recipient, message)
  return {
    name,
    status,
    ...(project && { project }),
    ...(handling === 'hold' && { heldSince: timestamp(message.sentAt) }),
    ...(told && { toldAt: timestamp(told.at), toldHow: told.how }),
    ...(fetchedBy && {
      shownTo: { session: fetchedBy.session, ...(fetchedBy.project && { project: fetchedBy.project }) },
    }),
    ...(answer && { answeredAt: timestamp(answer.sentAt), answerId: answer.command.id }),
    ...(fetchedBy && { fetchedAt: timestamp(fetchedBy.at), fetchedBySession: fetchedBy.session }),
    ...(status === 'acked' && { ackedAt: timestamp(endedAt!) }),
    ...(status === 'expired' && { expiredAt: timestamp(endedAt!) }),
  }
}

/** Returns the events about its own messages for a follower of `member` that missed everything: the newest state of each, once. */
function expectedReceipts(model: Model, member: number): string[] {
  return model.messages
    .filter(({ command }) => command.by === member)
    .flatMap(({ command, deliveries }) =>
      [...deliveries].flatMap(([recipient, { status }]) =>
        status === 'stored' || status === 'refused' ? [] : [`${command.id} ${model.nameOf(recipient)} ${status}`],
      ),
    )
}

/** Reads all pages; each begins after the last seq of the previous one. */
function inPages<Row extends { seq: number }>(read: (after: number) => Row[]): Row[] {
  const rows: Row[] = []
  for (;;) {
    const page = read(rows.at(-1)?.seq ?? 0)
    if (page.length === 0) return rows
    rows.push(...page)
  }
}
