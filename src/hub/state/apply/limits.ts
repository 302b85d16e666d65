const dayMs = 86_400_000

/**
 * Numbers that decide an outcome or what is stored, besides those in the table `setting`. They belong to the versions of entries (see
 * `entryVersion`): another number is another version, under which entries of earlier ones go on with these.
 */
export const limits = {
  /** Most messages that one tick expires; the rest wait for the next, so that no batch holds up senders for long. */
  expiredPerTick: 500,
  /** Most deliveries that one tick looks at or deletes, and about how many bytes of texts: one message at least. */
  looksPerTick: 500,
  textBytesPerTick: 32 * 1024,
  /** How long ids, content hashes and outcomes stay once a message is over, in days: so long a repeated send finds its first outcome. */
  recordDays: 365,
  /** How long a reply to a Telegram message still finds what it answers, in ms. */
  routeLifeMs: 30 * dayMs,
  /** How long it is remembered what a webhook was called with, in ms: as long as the ids of messages at least. */
  sealLifeMs: 400 * dayMs,
  /** How long it is remembered that an owner was told of a permission prompt, in ms: none stays open for longer. */
  promptLifeMs: 8 * dayMs,
  /** How long handled updates are remembered, in ms: Telegram keeps one for 24 hours, so it cannot come again. */
  updateLifeMs: 8 * dayMs,
  /** Below both of these, which the settings cannot undercut, every inbox has room for everybody. */
  alwaysMessages: 100,
  alwaysBytes: 1024 * 1024,
  /** From how many percent of an inbox on the shares of senders are counted, and below how many no longer. */
  countedFromPercent: 10,
  countedDownToPercent: 5,
  /** When a sender may try a full inbox again, in ms. */
  fullRetryMs: 60_000,
  /** Who has little in an inbox: at most this part of the reserve. */
  smallPart: 1 / 10,
  /** What is urgent is let in until this part of the reserve is left: 1 of so many. */
  urgentDivisor: 3,
  /** Smaller changes of the wall clock against the steady one are corrections, and are not recorded as steps, in ms. */
  clockStepMs: 1000,
  /** Most messages that one sender may have waiting for later. */
  laterPerSender: 100,
  /** How far ahead later mail may be due, in ms: a year. */
  laterAheadMs: 366 * dayMs,
  /** How long ago the time of a send may be that did not wait in an outbox: it was on its way, in ms. */
  laterSlackMs: 5000,
  /** How many characters of a text a sender is told, so that they know which message it was. */
  toldCharacters: 120,
  /** How many recipients are named where a sender is told of a message to many. */
  toldNames: 10,
  /** Which part of its days a token has behind it when its machine is to renew it. */
  renewAfterPart: 1 / 2,
  /** How many tokens of a member that have ended are remembered, the last ones. */
  endedPerMember: 8,
  /** Most links into the console that wait for one member, and most sessions that it may have there; the oldest end. */
  linksPerMember: 8,
  sessionsPerMember: 16,
  /** Most projects of one machine that are known. */
  maxProjects: 200,
  /** How long a project is known after its machine was last seen with it, in ms. */
  projectLifeMs: 90 * dayMs,
  /** Most webhooks that post events. */
  outgoing: 50,
  /** Most dead letters of one of them, and most events noted for it that no message stands for. */
  outgoingDead: 1000,
  outgoingNoted: 1000,
  /** How long the signing secret of before signs too, in ms. */
  outgoingOverlapMs: dayMs,
} as const
