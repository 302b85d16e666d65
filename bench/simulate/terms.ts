/**
 * What the model is made of. Costs were measured on two slow cores that a cluster of etcd, three hubs and the generator shared (docs/scaling.md
 * says when and how); hosts of their own are faster. Habits are assumptions: change them with flags.
 */
export interface Terms {
  /** Milliseconds of a hub's main thread for one send that it takes: `npm run bench -- --only sends`, 32 connections and more. */
  sendMs: number
  /** The same for an entry that another hub has taken: catching up with 100,000 entries, `npm run bench -- --only many-hubs`. */
  applyMs: number
  /** For one delivery of a message to many: the row broadcast to 100. */
  deliveryMs: number
  /** For a read and an ack of what was delivered: the row read + ack of 100, divided by 100, and one request. */
  readMs: number
  /** Share of a core that an idle session takes: the row of 1,000 idle sessions. */
  sessionShare: number
  /** For a session that comes from another hub: a TLS handshake, its stream, its heartbeat. */
  reconnectMs: number
  /** Entries that one log takes in a second, from three hubs at once: the rows of sends over etcd. */
  logPerSecond: number
  /** Bytes of one entry in the log, and of one message in a store with its index. */
  logBytes: number
  storeBytes: number
  /** Memory of a session over TLS, in bytes: the rows of memory and of TLS. */
  sessionBytes: number
  /** Seconds without sends when a hub dies, when the log's leader dies: what is promised, and held by `npm run prove`. */
  hubGapS: number
  leaderGapS: number
}

/** As measured; see docs/scaling.md. */
export const measured: Terms = {
  sendMs: 0.2,
  applyMs: 0.08,
  deliveryMs: 0.03,
  readMs: 0.3,
  sessionShare: 0.0001,
  reconnectMs: 2.5,
  logPerSecond: 2500,
  logBytes: 1100,
  storeBytes: 800,
  sessionBytes: 130_000,
  hubGapS: 1,
  leaderGapS: 3,
}

/** What an organization does in a day. */
export interface Habits {
  machines: number
  /** Messages that a machine sends in a working day, to `recipients` on average. */
  messagesPerMachine: number
  recipients: number
  /** Messages to everybody that an organization sends in a day. */
  broadcasts: number
  sessionsPerMachine: number
  /** How much above its hour's mean the busiest second of a minute is. */
  burst: number
  /** Days for which texts are kept. */
  retentionDays: number
  /** Days between two deaths of a hub's host, and of a leader of the log. */
  hubDiesEveryDays: number
}

/** How full a cluster may be planned: of each of its limits, in its busiest hour, with one hub dead. */
export const planned = 0.5

/** What a hub's host has: memory for sessions in bytes, and sockets (LimitNOFILE of the service, two for each session). */
export const host = { memoryBytes: 8e9, sessions: 32_000 }
