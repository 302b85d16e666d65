import type { Intent, JoinableKind, MemberKind } from '../../protocol/messages.ts'
import type { Settings } from '../../protocol/settings.ts'
import type { Role } from '../../protocol/token.ts'
import type { ConsoleCommand, ConsoleResults } from './console-commands.ts'
import type { HubCommand, HubResults } from './hub-commands.ts'
import type { OutgoingCommand, OutgoingResults } from './outgoing-commands.ts'
import type { NotTaken, Refused } from './refusals.ts'
import type { TelegramCommand, TelegramResults } from './telegram-commands.ts'

/**
 * All commands, which change the state. Entries of an old hub must apply on a new one, so these shapes are separate from the wire's: a new
 * meaning is a new command, and fields are only added, as optional ones.
 *
 * `by` is the id of the member who submits it. Hashes are SHA-256 in base64. Spans are in seconds and start at the entry's time.
 */
export type Command =
  | {
      type: 'message.send'
      id: string
      by: number
      to: string[]
      body: string
      replyTo?: string
      /**
       * Refuses a `replyTo` that the sender has neither written nor received nor, by `shownAt`, been shown. Hubs up to 0.1.0 accepted any.
       */
      mustKnowReply?: true
      intent?: Intent
      expiresInS?: number
      /** Of a question to several: time during which answers are gathered before one wakes its asker. */
      withinS?: number
      /** Time of delivery, in ms since 1970: until then it waits as a scheduled message, and `later.deliver` sends it. */
      at?: number
      /** Project of the sending session, as its machine claims; empty for none. */
      fromProject?: string
      /**
       * Set for an event that a webhook received: a repetition under the same `id` or `seal` counts as the first one. `seal` is the SHA-256
       * of what its source has signed, where that does not cover the name of the delivery.
       */
      received?: { seal?: string }
      /** It has waited in an outbox while no hub could be reached. */
      wasKept?: true
      /** A machine in whose place its owner replies to `replyTo`. It counts only where `by` owns that machine; `shownAt` says more. */
      answersFor?: number
      /**
       * The Telegram message that showed `replyTo` to the sender, who may therefore reply to it although it was not sent to them. Its
       * copies in the inboxes of their machines then name them as the one who answered.
       */
      shownAt?: { chat: number; message: number }
    }
  /** Sends a scheduled message that is due. Does nothing when it is not due, or was cancelled or sent before. */
  | { type: 'later.deliver'; id: string }
  | { type: 'later.cancel'; by: number; id: string }
  /**
   * Stores the hub's message to a sender about the rows of `untold` up to `upTo`, for what they sent from `project`, or from none, and
   * removes these rows. A repetition does nothing.
   */
  | { type: 'sender.tell'; to: number; project?: string; upTo: number; notice: { id: string; body: string } }
  /** With `project`, messages for other projects are left alone; when it is empty, messages for any project are. */
  | { type: 'inbox.fetched'; by: number; ids: string[]; session: string; project?: string }
  /** A session of `by` was notified of these messages; `how` is a `ToldHow`. */
  | { type: 'inbox.told'; by: number; ids: string[]; session: string; how: string }
  | { type: 'inbox.ack'; by: number; ids: string[]; project?: string }
  /** A session of machine `by` works on this project. The doors submit it when they first see it, and at most once a day after that. */
  | { type: 'project.see'; by: number; project: string }
  | {
      type: 'member.invite'
      name: string
      kind: JoinableKind
      owner?: string
      codeHash: string
      lifeS: number
      /** Time the member's earlier token stays valid once the code is used. */
      overlapS?: number
    }
  | {
      type: 'member.add'
      name: string
      kind: JoinableKind
      /** The human to whom the machine belongs; null for nobody. When left out, the owner stays. */
      owner?: string | null
    }
  | { type: 'member.own'; name: string; owner: string | null }
  | { type: 'member.rename'; name: string; to: string }
  | { type: 'member.revoke'; name: string }
  | { type: 'member.delete'; name: string }
  | { type: 'member.policy'; by: number; inbound?: string; mute?: string[] }
  | {
      type: 'pair.brake'
      /** Sender and recipient of the message that triggered it. */
      from: number
      to: number
      /** End of the brake, in ms since 1970. */
      until: number
      /** The loop as a code: see `loopCode`. Hubs up to schema 13 wrote the text that senders read: `31 messages within 5 min`. */
      why: string
      /** The hub's message to `to`. */
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
      /** Public ids of the admin tokens that end. When left out, as in entries of hubs that stood alone, all of them end. */
      replaces?: string[]
    }
  | ({ type: 'settings.set' } & Partial<InboxSettings>)
  /** Sets the life of members' tokens in days, of new and of existing ones; 0 for no limit. */
  | { type: 'token.limit'; days: number }
  /** Gives `by` another token in place of the submitting one, which stays valid for `overlapS`. A repetition has the same outcome. */
  | {
      type: 'token.renew'
      by: number
      /** Public id of the submitting token. */
      tokenId: string
      newId: string
      newHash: string
      overlapS: number
      /** Most tokens of `by` that may be in their overlap, not counting this one. */
      atMost: number
    }
  /**
   * Makes a service, and the webhook through which events of a `source` reach `to`. `secretHash` is of the secret in its URL; `template`
   * makes the texts, and an event about a failure becomes a message with the intent `failedAs`.
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
  /** The previous URL and signing secret stay valid for `overlapS`. */
  | { type: 'webhook.rotate'; name: string; secretHash: string; signingSecret?: string; overlapS: number }
  | { type: 'webhook.remove'; name: string }
  /** Restricts the member's tokens to ranges of addresses; none means anywhere. */
  | { type: 'member.bind'; name: string; ranges: string[] }
  | { type: 'clock.tick' }
  /**
   * Of several hubs over one log, `hub` acts for all: see `sharing/claim.ts`. `run` names its process, `replaces` the claim that this one
   * replaces, by the seq of its newest entry, 0 for none. With `ends` the hub gives up its own claim.
   */
  | { type: 'door.claim'; hub: string; run: string; replaces: number; ends?: true }
  | ConsoleCommand
  | TelegramCommand
  | OutgoingCommand
  | HubCommand

/** The settings that `settings.set` changes and returns. */
export type InboxSettings = Omit<Settings, 'tokenDays'>

export type CommandOf<Type extends Command['type']> = Extract<Command, { type: Type }>

/**
 * A command at its place in the history. `time` is the wall clock's, in ms since 1970, and may step either way; only `seq` orders. `steady`
 * counts the time that has passed while the hub was running, on the same scale, and never steps: deadlines and ages use it. Entries older
 * than the steady clock lack it; theirs is `time`.
 */
export interface Entry<C extends Command = Command> {
  /** Version of the rules by which it applies: see `entryVersion`. Entries older than versions lack it; theirs is 1. */
  v?: number
  seq: number
  time: number
  steady?: number
  command: C
  /** It threw when it was first applied, with the outcome `internal`: it changed nothing, and changes nothing in a replay. */
  failed?: true
}

/**
 * The version of entries that this program writes, and the newest that it applies. Any change by which an entry gets another outcome, or
 * writes other rows, requires a new version; entries of earlier versions apply as before.
 *
 *   3   a question to several gathers answers, a send may be for later, senders are notified of requests that expire, and `to` may name
 *       a project: `seanclaude/billing`
 */
export const entryVersion = 3

/** The history has an entry that this program does not know: a newer one wrote it. */
export class NewerEntry extends Error {
  override name = 'NewerEntry'
}

/** An entry whose steady time is known. */
export type DatedEntry<C extends Command = Command> = Entry<C> & { steady: number }

/** Events for the rest of the hub once the entry is durable. */
export interface Effects {
  /** Ids of members whose followers have something new to read. */
  wake?: number[]
  /**
   * The message that all of `wake` received, except those in `notTo`, who have something else to read, or nothing. `projects` has the
   * recipients who received it for one of their projects.
   */
  delivery?: {
    seq: number
    id: string
    from: number
    intent: Intent
    notTo: number[]
    projects?: ReadonlyMap<number, string>
  }
  /**
   * Public ids of tokens, and of console sessions (`console-ID`), that are no longer valid, or are valid for another name or other
   * addresses.
   */
  revoked?: string[]
  /** Data of tokens have changed: they stay valid, but cached identities must be read again. */
  tokensChanged?: true
  /** Webhooks that post events were made, changed or deleted, or have something to retry. */
  outgoingChanged?: true
  /** The hubs of this history, their announcements, or the rules in force have changed. */
  hubsChanged?: true
}

/** The outcome of a message for one recipient. `reason` says why it was refused; hubs up to schema 13 stored a sentence. */
export interface RecipientOutcome {
  member: number
  name: string
  kind: MemberKind
  /** `later` only in the result of sending a scheduled message, before it is due. */
  status: 'stored' | 'refused' | 'later'
  /** Project of the recipient that it is for. */
  project?: string
  reason?: NotTaken | string
}

/** Results of commands that were carried out, by type. */
export interface Results extends ConsoleResults, HubResults, OutgoingResults, TelegramResults {
  /** `at` is set for a scheduled message that waits. */
  'message.send': {
    id: string
    seq: number
    sentAt: number
    recipients: RecipientOutcome[]
    repeated: boolean
    at?: number
  }
  /** `nothing` where nothing was due. `by` is the sender. */
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
  /** `later` is the number of scheduled messages it cancelled, `sessions` that of console sessions it ended; each is left out when 0. */
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

/** The result of a command when it is carried out. */
export type ResultOf<C extends Command> = Results[C['type']]

/** The outcome of an entry. A refusal has changed nothing. */
export type Outcome<C extends Command = Command> = { ok: true; result: ResultOf<C>; effects?: Effects } | Refused

/** Returns a success. */
export function done<C extends Command>(result: ResultOf<C>, effects?: Effects): Outcome<C> {
  return { ok: true, result, effects }
}
