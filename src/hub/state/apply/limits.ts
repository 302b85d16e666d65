const dayMs = 86_400_000

/**
 * Numbers that decide outcomes or stored data, besides those in the table `setting`. They belong to versions of entries (see
 * `entryVersion`): a changed number requires a new version, and entries of earlier versions keep these.
 */
export const limits = {
  /** Most messages that one tick expires; the rest wait for the next one, so that no batch blocks senders for long. */
  expiredPerTick: 500,
  /** Most deliveries that one tick examines or deletes, and about how many bytes of texts; at least one message. */
  looksPerTick: 500,
  textBytesPerTick: 32 * 1024,
  /**
   * Time that ids, content hashes and outcomes are kept once a message is over, in days: during it a repeated send finds its first outcome.
   */
  recordDays: 365,
  /** Time during which a reply to a Telegram message is related to the message it answers, in ms. */
  routeLifeMs: 30 * dayMs,
  /** Time that seals of webhook calls are kept, in ms: at least as long as the ids of messages. */
  sealLifeMs: 400 * dayMs,
  /** Time that notified permission prompts are kept, in ms: none stays open for longer. */
  promptLifeMs: 8 * dayMs,
  /** Time for which handled updates are stored, in ms: Telegram repeats an update for 24 hours at most. */
  updateLifeMs: 8 * dayMs,
  /** An inbox below both of these has room for everybody; the settings cannot be lower. */
  alwaysMessages: 100,
  alwaysBytes: 1024 * 1024,
  /** Percentage of an inbox above which the shares of senders are counted, and below which that ends. */
  countedFromPercent: 10,
  countedDownToPercent: 5,
  /** Time until a sender may try a full inbox again, in ms. */
  fullRetryMs: 60_000,
  /** A sender with at most this part of the reserve in an inbox has little there. */
  smallPart: 1 / 10,
  /** Urgent messages are accepted until one part in this many of the reserve is left. */
  urgentDivisor: 3,
  /** Smaller changes of the wall clock against the steady one are corrections, and are not recorded as steps, in ms. */
  clockStepMs: 1000,
  /** Most scheduled messages that one sender may have waiting. */
  laterPerSender: 100,
  /** Longest time ahead at which a scheduled message may be due, in ms: a year. */
  laterAheadMs: 366 * dayMs,
  /** Largest age of the delivery time of a send that has not waited in an outbox, in ms: it was in transit. */
  laterSlackMs: 5000,
  /** Characters of a text that a sender is shown to recognize the message. */
  toldCharacters: 120,
  /** Most recipients named to the sender of a message to many. */
  toldNames: 10,
  /** Part of a token's life after which its machine renews it. */
  renewAfterPart: 1 / 2,
  /** Most ended tokens of a member that are kept; the oldest are deleted first. */
  endedPerMember: 8,
  /** Most waiting console links of one member, and most console sessions; the oldest end first. */
  linksPerMember: 8,
  sessionsPerMember: 16,
  /** Most projects of one machine that are kept. */
  maxProjects: 200,
  /** Time that a project is kept after its machine was last seen with it, in ms. */
  projectLifeMs: 90 * dayMs,
  /** Most webhooks that post events. */
  outgoing: 50,
  /** Most dead letters of one webhook, and most events noted for it that have no message. */
  outgoingDead: 1000,
  outgoingNoted: 1000,
  /** Time that the previous signing secret signs, too, in ms. */
  outgoingOverlapMs: dayMs,
} as const
