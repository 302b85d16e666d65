import type { Command, CommandOf } from '../../src/hub/state/commands.ts'
import type { ErrorCode } from '../../src/protocol/errors.ts'
import type { Intent } from '../../src/protocol/messages.ts'

/** Initial names of the members, in the order of their ids, which start at 1. */
export const firstNames = ['ana', 'ben', 'cat', 'sean']
const humans = [4]

export type Send = CommandOf<'message.send'>

const dayMs = 86_400_000

export interface ModelDelivery {
  status: 'stored' | 'fetched' | 'acked' | 'expired' | 'refused'
  handling?: 'hold' | 'mute'
  /** Project of the recipient that the message is for. */
  project?: string
  fetchedBy?: { session: string; at: number; project?: string }
  told?: { how: string; at: number }
  /** Time at which it was acked or expired. */
  endedAt?: number
}

export interface ModelMessage {
  command: Send
  sentAt: number
  /** Time of the send on the steady clock, from which its expiry is counted. */
  steadyAt: number
  intent: Intent
  /** By recipient, in the order in which they were named. */
  deliveries: Map<number, ModelDelivery>
  /** Time at which its text was deleted. */
  textDeletedAt?: number
  /** Of a scheduled message: the time it was written. */
  writtenAt?: number
}

/** A scheduled message that waits, or has ended without being delivered. */
interface ModelLater {
  command: Send
  writtenAt: number
  /** Time at which it is due, on the steady clock. */
  dueAt: number
  /** The members that the names meant when it was written. */
  meant: (number | undefined)[]
  ended?: 'cancelled' | 'refused'
  endedAt?: number
}

interface Code {
  hash: string
  member: number
  expiresAt: number
  usedBy?: string
}

/** Result of a command, or the code of its refusal. */
type Answer<T extends Command['type']> = ErrorCode | Model['answers'][T & keyof Model['answers']]

/**
 * Model of a hub's promises about inboxes, receipts, names and tokens, as short as possible. It has no storage and no seqs: ordered lists
 * are enough.
 */
export class Model {
  /** Wall clock, ms since 1970. */
  now = Date.parse('2026-01-01T00:00:00.000Z')
  /** Steady clock, in ms on the same scale: it continues when the wall clock is set back. */
  steady = this.now
  readonly messages: ModelMessage[] = []
  /** The current name of each member, by id: the first is that of member 1. */
  readonly names = [...firstNames]
  readonly aliases = new Map<string, number>()
  readonly groups = new Map<string, number[]>()
  readonly inbound = this.names.map(() => 'accept')
  readonly muted: number[][] = this.names.map(() => [])
  /** Owners of the valid tokens, by token. */
  readonly tokens = new Map<string, number>()
  /** Time at which a machine was last seen with a project, on the steady clock; by `MEMBER/PROJECT`. */
  readonly projects = new Map<string, number>()
  /** In the order in which they were written. */
  readonly later: ModelLater[] = []
  /** Notices due to senders: member, kind and message. */
  readonly untold: string[] = []
  #codes: Code[] = []

  declare answers: {
    'message.send': 'stored' | 'repeated' | 'later'
    'later.cancel': { id: string }
    'inbox.fetched': { fetched: string[]; unknown: string[] }
    'inbox.told': { told: number }
    'project.see': { isNew: boolean }
    'inbox.ack': { acked: string[]; unknown: string[]; unread: number }
    'member.policy': { inbound: string; mute: string[] }
    'member.rename': { name: string }
    'member.join': { name: string; kind: string }
    'member.revoke': { name: string; revoked: number; later?: number }
    'alias.set': { alias: string; member: string }
    'alias.remove': { alias: string; member: string }
    'group.set': { group: string; members: string[] }
    'group.remove': { group: string }
  }

  // --- messages

  send(command: Send): Answer<'message.send'> {
    const { id, at } = command
    const waiting = this.later.find(later => later.command.id === id)
    const earlier = waiting ?? this.messages.find(message => message.command.id === id)
    if (earlier) return bound(earlier.command) === bound(command) && !waiting?.ended ? 'repeated' : 'conflict'
    return at === undefined || at <= this.now ? this.#store(command, command.to) : this.#storeLater(command)
  }

  /** Refuses wrong names and recipients that refuse messages; everything else is decided when the message is due. */
  #storeLater(command: Send): Answer<'message.send'> {
    const { by, to, at } = command
    const places = this.#places(to)
    if (typeof places === 'string') return places
    const named = to.map(address => this.#membersOf(address.split('/')[0]!, by))
    const recipients = named.flatMap(found => found ?? [])
    if (named.includes(undefined) || recipients.length === 0) return 'not_found'
    if (recipients.every(member => this.#admit(member, by).status === 'refused')) return 'forbidden'
    const meant = to.map(address => this.meant(address.split('/')[0]!))
    this.later.push({ command, writtenAt: this.now, dueAt: this.steady + at! - this.now, meant })
    return 'later'
  }

  /** Sends the messages that are due, as their senders would now. Returns the outcome of each. */
  deliver(): ('sent' | 'refused')[] {
    const due = this.later.filter(({ ended, dueAt }) => !ended && dueAt <= this.steady)
    return due
      .sort((a, b) => a.dueAt - b.dueAt)
      .map(later => {
        const { command, meant, writtenAt } = later
        const to = command.to.flatMap((address, index) => this.#currentAddress(address, meant[index]))
        const became = this.#store(command, to, writtenAt)
        const deliveries = became === 'stored' ? [...this.messages.at(-1)!.deliveries.values()] : []
        const isWhole = to.length === command.to.length && !deliveries.some(({ status }) => status === 'refused')
        if (became !== 'stored') Object.assign(later, { ended: 'refused', endedAt: this.steady })
        else this.later.splice(this.later.indexOf(later), 1)
        if (became !== 'stored' || !isWhole)
          this.untold.push(`${command.by} ${became === 'stored' ? 'partly' : 'refused'} ${command.id}`)
        return became === 'stored' ? 'sent' : 'refused'
      })
  }

  /** Returns the current form of an address in a send, or none if it no longer means anybody. */
  #currentAddress(address: string, member: number | undefined): string[] {
    const [name, project] = address.split('/') as [string, string?]
    if (member === undefined) return name === 'all' || this.groups.has(name) ? [address] : []
    if (project === undefined) return [this.nameOf(member)]
    return this.projects.has(`${member}/${project}`) ? [`${this.nameOf(member)}/${project}`] : []
  }

  cancel(by: number, id: string): Answer<'later.cancel'> {
    const later = this.later.find(({ command }) => command.id === id && command.by === by)
    if (later?.ended === 'refused') return 'conflict'
    if (later) Object.assign(later, { ended: 'cancelled', endedAt: later.endedAt ?? this.steady })
    if (later) return { id }
    const isDelivered = this.messages.some(
      ({ command }) => command.id === id && command.by === by && command.at !== undefined,
    )
    return isDelivered ? 'conflict' : 'not_found'
  }

  /** Stores a message that is sent now, for `to`. */
  #store(command: Send, to: string[], writtenAt?: number): Answer<'message.send'> {
    const { by } = command
    const places = this.#places(to)
    if (typeof places === 'string') return places
    const named = to.map(address => this.#membersOf(address.split('/')[0]!, by))
    if (named.includes(undefined)) return 'not_found'
    const recipients = [...new Set(named.flatMap(found => found!))]
    if (recipients.length === 0) return 'not_found'
    const isCrowd = to.some(address => this.meant(address.split('/')[0]!) === undefined)
    const asker = this.messages.find(message => message.command.id === command.replyTo)?.command
    const isBack = asker?.fromProject && !isCrowd && !places.get(asker.by)
    if (isBack && this.projects.has(`${asker.by}/${asker.fromProject}`)) places.set(asker.by, asker.fromProject)
    const deliveries = new Map(
      recipients.map(member => {
        const project = places.get(member)
        return [member, { ...this.#admit(member, by), ...(project && { project }) }]
      }),
    )
    if ([...deliveries.values()].every(({ status }) => status === 'refused')) return 'forbidden'
    const intent = command.intent ?? (isCrowd ? 'inform' : 'request')
    this.messages.push({
      ...{ command, sentAt: this.now, steadyAt: this.steady, intent, deliveries },
      ...(writtenAt !== undefined && { writtenAt }),
    })
    if (command.replyTo) this.ack(by, [command.replyTo], command.fromProject)
    return 'stored'
  }

  fetched(by: number, ids: string[], session: string, scope?: string): Answer<'inbox.fetched'> {
    const [fetched, unknown] = this.#own(by, ids, scope)
    for (const delivery of this.#unread(by, fetched)) {
      Object.assign(delivery, {
        status: 'fetched',
        fetchedBy: { session, at: this.now, ...(scope && { project: scope }) },
      })
    }
    return { fetched, unknown }
  }

  /** Records a notice of a message only if it is the first, or a wake after a hook. */
  told(by: number, ids: string[], how: string): Answer<'inbox.told'> {
    const told = this.#unread(by, this.#own(by, ids)[0]).filter(
      ({ told, handling }) => handling !== 'mute' && (!told || (told.how === 'hook' && how !== 'hook')),
    )
    for (const delivery of told) delivery.told = { how, at: this.now }
    return { told: told.length }
  }

  /** Returns the first answer of `member` to a message. */
  answerOf(member: number, { command: { id } }: ModelMessage): ModelMessage | undefined {
    return this.messages.find(({ command }) => command.replyTo === id && command.by === member)
  }

  /** Returns the time on the steady clock until which answers to a question to several are gathered; undefined for other messages. */
  gathersUntil({ command, intent, steadyAt, deliveries }: ModelMessage): number | undefined {
    const stored = [...deliveries.values()].filter(({ status }) => status !== 'refused')
    return intent === 'inform' || stored.length < 2 ? undefined : steadyAt + (command.withinS ?? 600) * 1000
  }

  /** Reports whether it is open at `at` on the steady clock while the members in `online` are online. */
  gathers(message: ModelMessage, online: readonly number[], at: number): boolean {
    const owing = [...message.deliveries].filter(
      ([member, { status }]) => status !== 'refused' && status !== 'expired' && !this.answerOf(member, message),
    )
    const hasAnswer = [...message.deliveries.keys()].some(member => this.answerOf(member, message))
    const isAwaited = !hasAnswer || owing.some(([member]) => online.includes(member))
    return at < this.gathersUntil(message)! && owing.length > 0 && isAwaited
  }

  ack(by: number, ids: string[], scope?: string): Answer<'inbox.ack'> {
    const [acked, unknown] = this.#own(by, ids, scope)
    for (const delivery of this.#unread(by, acked)) Object.assign(delivery, { status: 'acked', endedAt: this.now })
    return { acked, unknown, unread: this.inbox(by, scope).length }
  }

  /** Expires and deletes what is due. Returns the number of deliveries that expired. */
  tick(): number {
    let expired = 0
    for (const { command, steadyAt, intent, deliveries } of this.messages) {
      if (command.expiresInS === undefined || steadyAt + command.expiresInS * 1000 > this.steady) continue
      const unread = [...deliveries.values()].filter(isUnread)
      for (const delivery of unread) Object.assign(delivery, { status: 'expired', endedAt: this.now })
      expired += unread.length
      if (unread.length > 0 && intent !== 'inform') this.untold.push(`${command.by} expired ${command.id}`)
    }
    for (const later of [...this.later])
      if ((later.endedAt ?? Infinity) <= this.steady - 365 * dayMs) this.later.splice(this.later.indexOf(later), 1)
    for (const [project, seenAt] of this.projects) if (seenAt <= this.steady - 90 * dayMs) this.projects.delete(project)
    this.#deleteOld()
    return expired
  }

  /** Deletes texts 30 days after the message is over, and the rest of the message after a year. */
  #deleteOld(): void {
    for (const message of [...this.messages]) {
      const stored = [...message.deliveries.values()].filter(({ status }) => status !== 'refused')
      const overForDays = (this.now - Math.max(...stored.map(({ endedAt }) => endedAt ?? Infinity))) / dayMs
      if (overForDays >= 365) this.messages.splice(this.messages.indexOf(message), 1)
      else if (overForDays >= 30) message.textDeletedAt ??= this.now
    }
  }

  /** Returns the unread messages of `member`, oldest first; with `scope`, without those for other projects. */
  inbox(member: number, scope?: string): ModelMessage[] {
    return this.messages.filter(({ deliveries }) => {
      const delivery = deliveries.get(member)
      return isUnread(delivery) && isIn(scope, delivery!)
    })
  }

  see(by: number, project: string): Answer<'project.see'> {
    if (this.kindOf(by) === 'human') return 'invalid'
    const isNew = !this.projects.has(`${by}/${project}`)
    this.projects.set(`${by}/${project}`, this.steady)
    return { isNew }
  }

  policy(by: number, inbound: string | undefined, mute: string[] | undefined): Answer<'member.policy'> {
    const senders = mute?.map(name => this.meant(name))
    if (senders?.includes(undefined)) return 'not_found'
    if (inbound !== undefined) this.inbound[by - 1] = inbound
    if (senders) this.muted[by - 1] = [...new Set(senders as number[])]
    return { inbound: this.inbound[by - 1]!, mute: this.#namesOf(this.muted[by - 1]!) }
  }

  // --- names, shared by members, aliases and groups

  /** Returns the member that a name or an alias means. */
  meant(name: string): number | undefined {
    return this.names.includes(name) ? this.names.indexOf(name) + 1 : this.aliases.get(name)
  }

  nameOf(member: number): string {
    return this.names[member - 1]!
  }

  kindOf(member: number): 'human' | 'machine' {
    return humans.includes(member) ? 'human' : 'machine'
  }

  rename(name: string, to: string): Answer<'member.rename'> {
    const member = this.meant(name)
    if (!member) return 'not_found'
    const isOwn = to === this.nameOf(member) || this.aliases.get(to) === member
    if (!isOwn && this.#isTaken(to)) return 'conflict'
    this.aliases.delete(to)
    this.names[member - 1] = to
    return { name: to }
  }

  setAlias(alias: string, name: string): Answer<'alias.set'> {
    const member = this.meant(name)
    if (!member) return 'not_found'
    if (this.names.includes(alias) || this.groups.has(alias)) return 'conflict'
    this.aliases.set(alias, member)
    return { alias, member: this.nameOf(member) }
  }

  removeAlias(alias: string): Answer<'alias.remove'> {
    const member = this.aliases.get(alias)
    if (!member) return 'not_found'
    this.aliases.delete(alias)
    return { alias, member: this.nameOf(member) }
  }

  setGroup(group: string, names: string[]): Answer<'group.set'> {
    if (this.meant(group)) return 'conflict'
    const members = names.map(name => this.meant(name))
    if (members.includes(undefined)) return 'not_found'
    this.groups.set(group, [...new Set(members as number[])])
    return { group, members: this.#namesOf(this.groups.get(group)!) }
  }

  removeGroup(group: string): Answer<'group.remove'> {
    return this.groups.delete(group) ? { group } : 'not_found'
  }

  // --- tokens

  invite(member: number, hash: string, lifeS: number): void {
    this.#codes = this.#codes.filter(
      code => code.expiresAt > this.steady && (code.member !== member || code.usedBy !== undefined),
    )
    this.#codes.push({ hash, member, expiresAt: this.steady + lifeS * 1000 })
  }

  /** Reports whether the hub still stores a code, which must then not be used for another invitation. */
  isKnownCode(hash: string): boolean {
    return this.ownerOf(hash) !== undefined
  }

  /** Returns the member for whom a code was made. */
  ownerOf(hash: string): number | undefined {
    return this.#codes.find(code => code.hash === hash)?.member
  }

  join(name: string, hash: string, token: string): Answer<'member.join'> {
    const code = this.#codes.find(code => code.hash === hash)
    if (!code || code.expiresAt <= this.steady) return 'unauthorized'
    if (this.nameOf(code.member) !== name) return 'forbidden'
    const joined = { name, kind: this.kindOf(code.member) }
    if (code.usedBy !== undefined) return code.usedBy === token && this.tokens.has(token) ? joined : 'unauthorized'
    if ((this.tokens.get(token) ?? code.member) !== code.member) return 'conflict'
    this.#endTokens(code.member)
    this.tokens.set(token, code.member)
    code.usedBy = token
    return joined
  }

  revoke(name: string): Answer<'member.revoke'> {
    const member = this.meant(name)
    if (!member) return 'not_found'
    this.#codes = this.#codes.filter(code => code.member !== member)
    const waiting = this.later.filter(({ command, ended }) => command.by === member && !ended)
    for (const later of waiting) {
      Object.assign(later, { ended: 'cancelled', endedAt: this.steady })
      this.untold.push(`${member} cancelled ${later.command.id}`)
    }
    const later = waiting.length > 0 && { later: waiting.length }
    return { name: this.nameOf(member), revoked: this.#endTokens(member), ...later }
  }

  /** Returns the project addressed for each member (undefined for none), or the code with which these addresses are refused. */
  #places(to: string[]): Map<number, string | undefined> | ErrorCode {
    const places = new Map<number, string | undefined>()
    // Without a project, a name may occur twice.
    if (!to.some(address => address.includes('/'))) return places
    for (const address of to) {
      const [name, project] = address.split('/') as [string, string?]
      const member = this.meant(name)
      if (!member && project && (name === 'all' || this.groups.has(name))) return 'invalid'
      if (!member) continue
      if (project && this.kindOf(member) === 'human') return 'invalid'
      if (project && !this.projects.has(`${member}/${project}`)) return 'not_found'
      if (places.has(member) && places.get(member) !== project) return 'invalid'
      places.set(member, project)
    }
    return places
  }

  /** Returns the members that one name in a send of `sender` means; undefined for an unknown name. */
  #membersOf(name: string, sender: number): number[] | undefined {
    const one = this.meant(name)
    if (one) return [one]
    const machines = this.names.map((_, index) => index + 1).filter(member => this.kindOf(member) === 'machine')
    const crowd = name === 'all' ? machines : this.groups.get(name)
    const others = crowd?.filter(member => member !== sender)
    return others && this.#namesOf(others).map(name => this.meant(name)!)
  }

  #admit(recipient: number, sender: number): ModelDelivery {
    const inbound = recipient === sender ? 'accept' : this.inbound[recipient - 1]
    if (inbound === 'refuse') return { status: 'refused' }
    if (inbound === 'hold') return { status: 'stored', handling: 'hold' }
    return this.muted[recipient - 1]!.includes(sender) ? { status: 'stored', handling: 'mute' } : { status: 'stored' }
  }

  #isTaken(name: string): boolean {
    return this.meant(name) !== undefined || this.groups.has(name)
  }

  #namesOf(members: number[]): string[] {
    return members.map(member => this.nameOf(member)).sort()
  }

  #endTokens(member: number): number {
    const ended = [...this.tokens].filter(([, owner]) => owner === member)
    for (const [token] of ended) this.tokens.delete(token)
    return ended.length
  }

  /** Splits ids into those that were ever in this inbox within `scope`, and the others. */
  #own(by: number, ids: string[], scope?: string): [string[], string[]] {
    const own = this.messages
      .filter(({ deliveries }) => {
        const delivery = deliveries.get(by)
        return delivery && delivery.status !== 'refused' && isIn(scope, delivery)
      })
      .map(({ command }) => command.id)
    return [ids.filter(id => own.includes(id)), ids.filter(id => !own.includes(id))]
  }

  #unread(by: number, ids: string[]): ModelDelivery[] {
    return this.inbox(by).flatMap(({ command, deliveries }) => (ids.includes(command.id) ? [deliveries.get(by)!] : []))
  }
}

/**
 * Returns the fields that must be the same when an id is sent again: those that recipients get, but not how long the sender gathers
 * answers.
 */
function bound({ fromProject: _, withinS: __, ...content }: Send): string {
  return JSON.stringify(content)
}

function isIn(scope: string | undefined, { project }: ModelDelivery): boolean {
  return scope === undefined || project === undefined || project === scope
}

function isUnread(delivery: ModelDelivery | undefined): boolean {
  return delivery?.status === 'stored' || delivery?.status === 'fetched'
}
