import * as z from 'zod'
import { HubKey } from './hub-key.ts'
import { HubsAnswer } from './hubs.ts'
import { MemberKind, Timestamp } from './messages.ts'

/** In ms. */
const Quantiles = z.object({ p50: z.number(), p99: z.number(), max: z.number() })

/** State of a hub, for its admin. */
export const StatusAnswer = z.object({
  version: z.string(),
  /** The hub's key for TLS; null if it has none. */
  hubKey: HubKey.nullable().default(null),
  startedAt: Timestamp,
  /** Whether the store accepts writes, determined by a write; `notReady` is the reason if it does not. */
  ready: z.boolean(),
  notReady: z.string().nullable(),
  store: z.object({
    /** Version of its schema. */
    schema: z.number().int(),
    epoch: z.string(),
    /** The last entry of its journal. */
    seq: z.number().int(),
    bytes: z.number().int(),
    /** Free space on its disk. */
    freeBytes: z.number().int(),
  }),
  /** Last detected step of the hub's wall clock: its time and size in ms, and the number of steps since the start; null if there was none. */
  clock: z
    .object({ steps: z.number().int(), byMs: z.number().int(), atStart: z.boolean(), at: Timestamp })
    .nullable()
    .default(null),
  /**
   * The hub's load; null from older hubs. `commitMs` is the time until the last 1,000 batches were on disk, `loopMs` the delay of the
   * event loop since its metrics were last requested; null if nothing has been measured yet. `unreadAnswerBytes` are buffered for clients
   * that read too slowly.
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
   * Progress of the tail on the disk that `backup.logTo` names; null if it names none. `seq` is the last entry there, `behind` the number
   * of entries that are not there yet, the oldest of which has waited for `behindMs`.
   */
  tail: z
    .object({
      seq: z.number().int().nullable(),
      behind: z.number().int(),
      behindMs: z.number().int(),
      file: z.string().nullable(),
      bytes: z.number().int(),
      /** Reason why nothing is written, in a sentence. */
      trouble: z.string().nullable(),
    })
    .nullable()
    .default(null),
  /** The bridge to people on Telegram; null if there is none. `claude-net telegram` shows more. */
  telegram: z
    .object({
      bot: z.string().nullable(),
      lastPollAt: Timestamp.nullable(),
      /** The fault, in a sentence. */
      trouble: z.string().nullable(),
      /** The hub that runs the bridge, if that is not this one: see `TelegramStatus`. */
      carriedBy: z.string().nullable().optional(),
      /** Number of messages that wait to be sent to people. */
      waiting: z.number().int(),
      /** People who receive messages and whose own are ignored until an admin confirms who they are. */
      unconfirmed: z.array(z.string()),
    })
    .nullable(),
  /** The hubs of this history, as in `GET /v1/hubs`; null for a standalone hub. */
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
   * Addresses from which the hub accepts requests without TLS, and the members that have sent some within the last day, since the hub
   * started: the time of the last one, and whether it came from another host. Latest first; 'admin' is any holder of an admin's token.
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
  /** The inboxes whose messages have waited longest, longest first. */
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
   * Inboxes that are nearly full, and members that have nearly used their daily limit of sends; the nearest first. `percent` is the part
   * that is used.
   */
  nearBounds: z
    .array(z.object({ bound: z.enum(['inbox', 'daily']), name: z.string(), percent: z.number().int() }))
    .default([]),
  /** Number of inboxes with unread messages that are not listed. */
  moreInboxes: z.number().int(),
})
export type StatusAnswer = z.infer<typeof StatusAnswer>
