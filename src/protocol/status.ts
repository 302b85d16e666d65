import * as z from 'zod'
import { HubKey } from './hub-key.ts'
import { HubsAnswer } from './hubs.ts'
import { MemberKind, Timestamp } from './messages.ts'

/** In ms. */
const Quantiles = z.object({ p50: z.number(), p99: z.number(), max: z.number() })

/** How a hub is, for its admin. */
export const StatusAnswer = z.object({
  version: z.string(),
  /** What the hub proves itself by over TLS; null where it has no key. */
  hubKey: HubKey.nullable().default(null),
  startedAt: Timestamp,
  /** Whether the store takes writes, found out by one; `notReady` says why it does not. */
  ready: z.boolean(),
  notReady: z.string().nullable(),
  store: z.object({
    /** The steps that its schema has come. */
    schema: z.number().int(),
    epoch: z.string(),
    /** The last entry of its history. */
    seq: z.number().int(),
    bytes: z.number().int(),
    /** Room that is left on its disk. */
    freeBytes: z.number().int(),
  }),
  /** When the hub's wall clock was last seen to be set, by how many ms, and how often since the start; null if never. */
  clock: z
    .object({ steps: z.number().int(), byMs: z.number().int(), atStart: z.boolean(), at: Timestamp })
    .nullable()
    .default(null),
  /**
   * How it fares with what it has to do; null from older hubs. `commitMs` is how long the last 1,000 batches took until they were on
   * disk, `loopMs` how late the event loop was since it was last asked for its metrics; null where nothing was measured yet.
   * `unreadAnswerBytes` wait for clients that read too slowly.
   */
  load: z
    .object({
      commitMs: Quantiles.nullable(),
      loopMs: Quantiles.nullable(),
      /** Open event streams. */
      streams: z.number().int(),
      /** Open connections that have shown a valid token, and those that have not. */
      connections: z.object({ known: z.number().int(), strangers: z.number().int() }),
      unreadAnswerBytes: z.number().int(),
    })
    .nullable()
    .default(null),
  lastBackup: z.object({ at: Timestamp, bytes: z.number().int() }).nullable(),
  /**
   * How far the entries beside the backups are, on the disk that `backup.logTo` names; null where it names none. `seq` is the last one
   * there, `behind` how many are not there yet, of which the oldest has waited for `behindMs`.
   */
  tail: z
    .object({
      seq: z.number().int().nullable(),
      behind: z.number().int(),
      behindMs: z.number().int(),
      file: z.string().nullable(),
      bytes: z.number().int(),
      /** Why nothing is written, in a sentence. */
      trouble: z.string().nullable(),
    })
    .nullable()
    .default(null),
  /** The bridge to people on Telegram; null where there is none. `claude-net telegram` says more. */
  telegram: z
    .object({
      bot: z.string().nullable(),
      lastPollAt: Timestamp.nullable(),
      /** What is wrong, in a sentence. */
      trouble: z.string().nullable(),
      /** The hub that carries mail to Telegram, where that is not this one: see `TelegramStatus`. */
      carriedBy: z.string().nullable().optional(),
      /** Messages that are on their way to people. */
      waiting: z.number().int(),
      /** People who are written to and not listened to, until an admin confirms who they are. */
      unconfirmed: z.array(z.string()),
    })
    .nullable(),
  /** The hubs of this history, as `GET /v1/hubs` has them; null for a hub that stands alone. */
  hubs: HubsAnswer.nullable().default(null),
  members: z.object({
    machines: z.number().int(),
    onlineMachines: z.number().int(),
    humans: z.number().int(),
    onlineHumans: z.number().int(),
    services: z.number().int().default(0),
  }),
  /** Members with a session whose client is older than the hub, by name. */
  behind: z.array(z.object({ name: z.string(), clients: z.array(z.string()) })),
  /**
   * From where the hub takes requests without TLS, and which members have sent some within a day, since the hub was started: when
   * last, and whether from another host than the hub's. The latest first; 'admin' is whoever has an admin's token.
   */
  plain: z
    .object({
      from: z.enum(['allow', 'loopback', 'refuse']),
      members: z.array(z.object({ name: z.string(), lastAt: Timestamp, isRemote: z.boolean() })),
    })
    .nullable()
    .default(null),
  /** Of all members together. */
  unread: z.number().int(),
  oldestUnreadAt: Timestamp.nullable(),
  /** The inboxes whose mail waits longest, the longest first. */
  inboxes: z.array(
    z.object({
      name: z.string(),
      kind: MemberKind,
      unread: z.number().int(),
      oldestAt: Timestamp,
      online: z.boolean(),
      lastSeenAt: Timestamp.nullable(),
    }),
  ),
  /**
   * Who is near a bound: an inbox that is nearly full, or a member that has nearly sent what it may in a day; the nearest first.
   * `percent` of it is used.
   */
  nearBounds: z
    .array(z.object({ bound: z.enum(['inbox', 'daily']), name: z.string(), percent: z.number().int() }))
    .default([]),
  /** How many inboxes with unread mail are not listed. */
  moreInboxes: z.number().int(),
})
export type StatusAnswer = z.infer<typeof StatusAnswer>
