/**
 * Parameters of the model. Costs were measured on two slow cores shared by a cluster of etcd, three hubs and the generator (docs/scaling.md
 * describes the conditions); separate hosts are faster. Habits are assumptions, which flags change.
 */
export interface Terms {
  /** Milliseconds of a hub's main thread for one send that it accepts: `npm run bench -- --only sends`, 32 connections and more. */
  sendMs: number
  /** The same for an entry that another hub has accepted: catching up with 100,000 entries, `npm run bench -- --only many-hubs`. */
  applyMs: number
  /** For one delivery of a message to many: the row broadcast to 100. */
  deliveryMs: number
  /** The same for the read and the ack of one delivery: the row read + ack of 100, divided by 100, and one request. */
  readMs: number
  /** Share of a core that an idle session uses: the row of 1,000 idle sessions. */
  sessionShare: number
  /** For a session that moves from another hub: a TLS handshake, its stream, its heartbeat. */
  reconnectMs: number
  /** Entries per second that one log accepts from three hubs at once: the rows of sends over etcd. */
  logPerSecond: number
  /** Bytes of one entry in the log, and of one message in a store with its index. */
  logBytes: number
  storeBytes: number
  /** Memory of a session over TLS, in bytes: the rows of memory and of TLS. */
  sessionBytes: number
  /** Seconds without sends when a hub fails, and when the log's leader fails: promised, and checked by `npm run prove`. */
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

/** Habits of an organization per day. */
export interface Habits {
  machines: number
  /** Messages that a machine sends in a working day, to `recipients` on average. */
  messagesPerMachine: number
  recipients: number
  /** Messages to everybody that an organization sends in a day. */
  broadcasts: number
  sessionsPerMachine: number
  /** Ratio of the busiest second of a minute to the mean of its hour. */
  burst: number
  /** Days for which texts are stored. */
  retentionDays: number
  /** Days between two failures of a hub's host, and of a leader of the log. */
  hubDiesEveryDays: number
}

/** Maximum planned use of each limit of a cluster, in its busiest hour, with one hub down. */
export const planned = 0.5

/** Resources of a hub's host: memory for sessions in bytes, and sockets (LimitNOFILE of the service, two per session). */
export const host = { memoryBytes: 8e9, sessions: 32_000 }
