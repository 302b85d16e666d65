import type { Intent, JoinableKind, MemberKind } from '../../protocol/messages.ts'
import type { Settings } from '../../protocol/settings.ts'
import type { Role } from '../../protocol/token.ts'
import type { ConsoleCommand, ConsoleResults } from './console-commands.ts'
import type { HubCommand, HubResults } from './hub-commands.ts'
import type { OutgoingCommand, OutgoingResults } from './outgoing-commands.ts'
import type { NotTaken, Refused } from './refusals.ts'
import type { TelegramCommand, TelegramResults } from './telegram-commands.ts'

/**
 * Every wish to change the state. What an old hub wrote must apply on a new one, so these shapes are apart from the wire's:
 * a new meaning is a new command, and a field is only ever added, optional.
 *
 * `by` is the id of the member who asks. Hashes are SHA-256 in base64. Spans are in seconds and start at the entry's time.
 */
export type Command =
  | {
      type: 'message.send'
      id: string
      by: number
      to: string[]
      body: string
      replyTo?: string
      /** Refuses a `replyTo` that the sender neither wrote nor was sent nor, by `shownAt`, was shown. Hubs up to 0.1.0 took any. */
      mustKnowReply?: true
      intent?: Intent
      expiresInS?: number
      /** Of a question to several: for how long its asker waits with being woken by an answer. */
      withinS?: number
      /** When it is to be delivered, in ms since 1970: until then it waits as later mail, and `later.deliver` sends it. */
      at?: number
      /** The project of the session that sends; empty for none. The machine's own claim. */
      fromProject?: string
      /**
       * Of an event that a webhook received: whatever is sent again, under `id` or with the same `seal`, counts as what was sent first. `seal`
       * is the SHA-256 of what its source has signed, where that does not cover the name of the delivery.
       */
      received?: { seal?: string }
      /** It waited in an outbox for a hub to answer. */
      wasKept?: true
      /** A machine in whose place its owner answers `replyTo`. It counts only where `by` owns that machine; `shownAt` says more. */
      answersFor?: number
      /**
       * The Telegram message that showed `replyTo` to the sender, who may answer it for that, though it was not sent to them. The copies
       * of it that lie with machines of theirs then say by whom it was answered.
       */
      shownAt?: { chat: number; message: number }
    }
  /** Sends later mail that is due. Of what is not due, or was cancelled or sent before, it does nothing. */
  | { type: 'later.deliver'; id: string }
  | { type: 'later.cancel'; by: number; id: string }
  /**
   * Tells a sender what is to be told up to place `upTo` of `untold`, in a message of the hub: of what they sent from `project`, or from none.
   * Done once: another time there is nothing.
   */
  | { type: 'sender.tell'; to: number; project?: string; upTo: number; notice: { id: string; body: string } }
  /** With `project`, what is for another project stays as it is; empty leaves all alone that is for one. */
  | { type: 'inbox.fetched'; by: number; ids: string[]; session: string; project?: string }
  /** A session of `by` was told that there are these messages, and how (see `ToldHow`). */
  | { type: 'inbox.told'; by: number; ids: string[]; session: string; how: string }
  | { type: 'inbox.ack'; by: number; ids: string[]; project?: string }
  /** A session of machine `by` works on this project. The doors submit it at the first sight and at most once a day after that. */
  | { type: 'project.see'; by: number; project: string }
  | {
      type: 'member.invite'
      name: string
      kind: JoinableKind
      owner?: string
      codeHash: string
      lifeS: number
      /** How long the member's earlier token goes on once the code was used. */
      overlapS?: number
    }
  | {
      type: 'member.add'
      name: string
      kind: JoinableKind
      /** The human to whom the machine belongs; null for nobody. Without it, what was said before stays. */
      owner?: string | null
    }
  | { type: 'member.own'; name: string; owner: string | null }
  | { type: 'member.rename'; name: string; to: string }
  | { type: 'member.revoke'; name: string }
  | { type: 'member.delete'; name: string }
  | { type: 'member.policy'; by: number; inbound?: string; mute?: string[] }
  | {
      type: 'pair.brake'
      /** Whose message was the last straw, and to whom. */
      from: number
      to: number
      /** When the brake ends, in ms since 1970. */
      until: number
      /** What looked like a loop: see `loopCode`. Of hubs up to schema 13 as senders read it: `31 messages within 5 min`. */
      why: string
      /** What `to` is told, in the name of the hub. */
      notice: { id: string; body: string }
    }
  /** Ends a brake early. */
  | { type: 'pair.release'; one: string; other: string }
  | { type: 'alias.set'; alias: string; member: string }
  | { type: 'alias.remove'; alias: string }
  | { type: 'group.set'; group: string; members: string[] }
  | { type: 'group.remove'; group: string }
  | {
      type: 'organization.import'
      members: { name: string; kind: JoinableKind; owner?: string }[]
      aliases: { alias: string; member: string }[]
      groups: { group: string; members: string[] }[]
    }
  | { type: 'member.join'; name: string; codeHash: string; tokenId: string; tokenHash: string; role: Role }
  | {
      type: 'admin.token'
      tokenId: string
      tokenHash: string
      /** Public ids of the admin tokens that end. Without it all of them do: entries of hubs that stood alone lack it. */
      replaces?: string[]
    }
  | ({ type: 'settings.set' } & Partial<InboxSettings>)
  /** How many days a member's token lives, from now on and of those that there are; 0 for no limit. */
  | { type: 'token.limit'; days: number }
  /** Gives `by` another token in place of the one that asks, which goes on for `overlapS`. Repeated, it answers the same. */
  | {
      type: 'token.renew'
      by: number
      /** The public id of the token that asks. */
      tokenId: string
      newId: string
      newHash: string
      overlapS: number
      /** Most tokens of `by` that may be in their overlap, this one not counted. */
      atMost: number
    }
  /**
   * Makes a service, and the webhook through which events of a `source` come to `to`. `secretHash` is of the secret in its URL; `template` makes
   * the texts, and what failed becomes a message with the intent `failedAs`.
   */
  | {
      type: 'webhook.add'
      name: string
      source: string
      to: string[]
      secretHash: string
      signingSecret?: string
      template?: string
      failedAs?: 'request'
    }
  | { type: 'webhook.change'; name: string; to?: string[]; template?: string | null; failedAs?: 'request' | null }
  /** The URL and the signing secret of before go on for `overlapS`. */
  | { type: 'webhook.rotate'; name: string; secretHash: string; signingSecret?: string; overlapS: number }
  | { type: 'webhook.remove'; name: string }
  /** From which ranges of addresses the member's tokens may be used; none is anywhere. */
  | { type: 'member.bind'; name: string; ranges: string[] }
  | { type: 'clock.tick' }
  /**
   * Of several hubs over one log, `hub` acts for all: see `sharing/claim.ts`. `run` names its process, `replaces` the claim that this one
   * takes the place of, by the seq of its newest entry, 0 where there is none. With `ends` it gives up its own.
   */
  | { type: 'door.claim'; hub: string; run: string; replaces: number; ends?: true }
  | ConsoleCommand
  | TelegramCommand
  | OutgoingCommand
  | HubCommand

/** The settings that `settings.set` changes and answers. */
export type InboxSettings = Omit<Settings, 'tokenDays'>

export type CommandOf<Type extends Command['type']> = Extract<Command, { type: Type }>

/**
 * A command in its place in the history. `time` is the wall clock's, in ms since 1970, and may step either way; only `seq`
 * orders. `steady` counts the time that the hub has seen pass, on the same scale, and never steps: deadlines and ages go by it.
 * Entries of before there was a steady clock lack it; theirs is `time`.
 */
export interface Entry<C extends Command = Command> {
  /** The rules by which it applies: see `entryVersion`. Entries of before there were versions lack it; theirs is 1. */
  v?: number
  seq: number
  time: number
  steady?: number
  command: C
  /** It threw when it was first applied, and was answered `internal`: it changed nothing and changes nothing when it is replayed. */
  failed?: true
}

/**
 * The version of entries that this program writes, and the newest that it applies. Whatever makes an entry come to another outcome, or to
 * other rows, than before is another version: the entries of earlier ones go on as they did.
 *
 *   3   a question to several gathers answers, a send may be for later, orders that expire are told to their senders, and `to` may name
 *       a project: `seanclaude/billing`
 */
export const entryVersion = 3

/** The history holds what this program does not know: it was written by a newer one. */
export class NewerEntry extends Error {
  override name = 'NewerEntry'
}

/** An entry whose steady time is known. */
export type DatedEntry<C extends Command = Command> = Entry<C> & { steady: number }

/** What the world outside the state must hear once the entry is durable. */
export interface Effects {
  /** Members whose followers have something new to read. */
  wake?: number[]
  /**
   * The message that all of `wake` were sent, except those in `notTo`: they have something else to read, or nothing. `projects` has
   * those who were sent it for one of theirs.
   */
  delivery?: {
    seq: number
    id: string
    from: number
    intent: Intent
    notTo: number[]
    projects?: ReadonlyMap<number, string>
  }
  /** Public ids of tokens, and of sessions of the console (`console-ID`), that no longer count, or that count for another name or from elsewhere. */
  revoked?: string[]
  /** What is known of tokens has changed: they go on to count, and are looked up anew. */
  tokensChanged?: true
  /** Webhooks that post events were made, changed or taken away, or have something to try again. */
  outgoingChanged?: true
  /** The hubs of this history, what they have announced, or the rules in force, are others. */
  hubsChanged?: true
}

/** What became of a message at one recipient. `reason` says why it was refused; in outcomes of hubs up to schema 13 it is a sentence. */
export interface RecipientOutcome {
  member: number
  name: string
  kind: MemberKind
  /** `later` is of what a sender of later mail is answered; nothing has come of it yet. */
  status: 'stored' | 'refused' | 'later'
  /** For which of its projects it is. */
  project?: string
  reason?: NotTaken | string
}

/** What a carried-out command answers, by its type. */
export interface Results extends ConsoleResults, HubResults, OutgoingResults, TelegramResults {
  /** `at` of later mail that waits. */
  'message.send': {
    id: string
    seq: number
    sentAt: number
    recipients: RecipientOutcome[]
    repeated: boolean
    at?: number
  }
  /** Nothing where nothing was due. `by` is who wrote it. */
  'later.deliver':
    | { became: 'nothing' | 'refused' }
    | { became: 'sent'; seq: number; by: number; recipients: RecipientOutcome[] }
  'later.cancel': { id: string }
  'sender.tell': { told: boolean }
  'inbox.fetched': { fetched: string[]; unknown: string[] }
  'inbox.told': { told: number }
  'inbox.ack': { acked: string[]; unknown: string[]; unread: number }
  'project.see': { isNew: boolean }
  'member.invite': { name: string; expiresAt: number; renewed: boolean }
  'member.join': { name: string; kind: MemberKind }
  'member.add': { name: string; added: boolean }
  'member.own': { name: string; owner: string | null }
  'member.rename': { name: string }
  /** `later` is how much later mail it cancelled, `sessions` how many of the console it ended, each where that is any. */
  'member.revoke': { name: string; revoked: number; later?: number; sessions?: number }
  'member.delete': { name: string; expired: number }
  'member.policy': { inbound: string; mute: string[] }
  'pair.brake': { isNew: boolean }
  'pair.release': { between: [string, string]; lifted: boolean }
  'alias.set': { alias: string; member: string }
  'alias.remove': { alias: string; member: string }
  'group.set': { group: string; members: string[] }
  'group.remove': { group: string }
  'organization.import': { added: string[] }
  'admin.token': Record<string, never>
  'settings.set': InboxSettings
  'token.limit': { days: number }
  'token.renew': { tokenId: string; goesOnUntil: number | null }
  'webhook.add': { name: string }
  'webhook.change': { name: string }
  'webhook.rotate': { name: string; goesOnUntil: number | null }
  'webhook.remove': { name: string }
  'member.bind': { name: string; ranges: string[] }
  'clock.tick': { expired: number; more: boolean }
  'door.claim': { counts: boolean }
}

/** What this command answers when it is carried out. */
export type ResultOf<C extends Command> = Results[C['type']]

/** What came of an entry. A refusal has changed nothing. */
export type Outcome<C extends Command = Command> = { ok: true; result: ResultOf<C>; effects?: Effects } | Refused

/** A shorthand, so that apply reads as prose. */
export function done<C extends Command>(result: ResultOf<C>, effects?: Effects): Outcome<C> {
  return { ok: true, result, effects }
}
