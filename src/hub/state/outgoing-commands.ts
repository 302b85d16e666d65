import type { Intent } from '../../protocol/messages.ts'

/** What kind of event a webhook posts: a message was stored, expired unread, or a recipient did not take it. */
export type OutgoingKind = 'message' | 'expired' | 'refused'

/** What an event has to meet, all of it. `Whom` is a typed name in a command, and who is meant by it in the store. */
export interface OutgoingFilter<Whom = string> {
  event: OutgoingKind
  intent?: Intent
  /** Of a message: a recipient's machine holds it. */
  held?: true
  from?: Whom
  to?: Whom
  /** Of the recipient's projects. */
  project?: string
}

/** An event that a webhook is to be told of. */
export interface OutgoingEvent {
  /** Its `webhook-id`: the same each time that it is posted. */
  id: string
  kind: OutgoingKind
  /** The message; 0 where none was stored. */
  seq: number
  /** Of what expired: the entry by which it did. */
  changed?: number
  /** When it happened, by the wall clock, in ms since 1970. */
  at: number
  /** Of a message that nobody took: what is known of it, as the dispatcher's own JSON. */
  detail?: string
}

/** A place in the history: an entry, and how far in it. */
export interface OutgoingPlace {
  seq: number
  part: number
}

/**
 * What the webhooks that post events write down. `webhook` is the id of one. `due` and `tried` are in steady time, by the clock of the
 * hub that posts.
 */
export type OutgoingCommand =
  | {
      type: 'outgoing.add'
      name: string
      url: string
      on: OutgoingFilter[]
      template?: string
      withText?: true
      secret: string
    }
  | { type: 'outgoing.remove'; name: string }
  /** The secret of before signs too, for a while. */
  | { type: 'outgoing.rotate'; name: string; secret: string }
  /** The receiver has taken an event. With `upTo` everything up to there is dealt with. */
  | { type: 'outgoing.delivered'; webhook: number; event: string; upTo?: OutgoingPlace }
  /** Up to there nothing is to be posted that is not dealt with. */
  | { type: 'outgoing.passed'; webhook: number; upTo: OutgoingPlace }
  /** An event was not taken. It is tried again when it is `due`; null makes it a dead letter. */
  | {
      type: 'outgoing.failed'
      webhook: number
      event: OutgoingEvent
      why: string
      tried: number
      due: number | null
      upTo?: OutgoingPlace
    }
  /** The receiver says that it is gone: nothing more is posted, and what waits is dead. */
  | { type: 'outgoing.gone'; webhook: number }
  /** The receiver is there again; events go on from here. */
  | { type: 'outgoing.resume'; webhook: number }
  /** A message was refused by every recipient, so that the store holds nothing of it: these webhooks are to be told. */
  | { type: 'outgoing.note'; webhooks: number[]; event: OutgoingEvent }
  /** Dead letters are tried again: this one, or all. */
  | { type: 'outgoing.retry'; name: string; event?: string }
  | { type: 'outgoing.drop'; name: string }

type None = Record<string, never>

export interface OutgoingResults {
  'outgoing.add': { name: string }
  'outgoing.remove': { name: string; undelivered: number }
  'outgoing.rotate': { name: string }
  'outgoing.delivered': None
  'outgoing.passed': None
  'outgoing.failed': None
  'outgoing.gone': None
  'outgoing.resume': None
  'outgoing.note': None
  'outgoing.retry': { name: string; retried: number }
  'outgoing.drop': { name: string; dropped: number }
}
