import type { Intent } from '../../protocol/messages.ts'

/** Kind of an event that a webhook posts: a message was stored, expired unread, or was refused by a recipient. */
export type OutgoingKind = 'message' | 'expired' | 'refused'

/**
 * Conditions of an event, all of which must hold. `Whom` is a typed name in a command, and the member or group that it means in the store.
 */
export interface OutgoingFilter<Whom = string> {
  event: OutgoingKind
  intent?: Intent
  /** Of a message: it is held at a recipient. */
  held?: true
  from?: Whom
  to?: Whom
  /** A project of the recipient. */
  project?: string
}

/** An event that a webhook is to post. */
export interface OutgoingEvent {
  /** Its `webhook-id`, the same each time it is posted. */
  id: string
  kind: OutgoingKind
  /** The message; 0 where none was stored. */
  seq: number
  /** Of an expired message: the seq of the entry that expired it. */
  changed?: number
  /** Wall-clock time of the event, in ms since 1970. */
  at: number
  /** Of a message that every recipient refused: its data, as the dispatcher's own JSON. */
  detail?: string
}

/** A place in the history: an entry, and a part of it. */
export interface OutgoingPlace {
  seq: number
  part: number
}

/**
 * Commands about webhooks that post events. `webhook` is the id of one. `due` and `tried` are in steady time, by the clock of the hub that
 * posts.
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
  /** The previous secret keeps signing, too, for a while. */
  | { type: 'outgoing.rotate'; name: string; secret: string }
  /** The receiver accepted an event. With `upTo` everything up to there is done. */
  | { type: 'outgoing.delivered'; webhook: number; event: string; upTo?: OutgoingPlace }
  /** Nothing up to `upTo` is left to be posted. */
  | { type: 'outgoing.passed'; webhook: number; upTo: OutgoingPlace }
  /** An event was not accepted. It is retried when it is `due`; null makes it a dead letter. */
  | {
      type: 'outgoing.failed'
      webhook: number
      event: OutgoingEvent
      why: string
      tried: number
      due: number | null
      upTo?: OutgoingPlace
    }
  /** The receiver answered that it is gone: nothing more is posted, and waiting events become dead letters. */
  | { type: 'outgoing.gone'; webhook: number }
  /** The receiver is available again; events are posted from here on. */
  | { type: 'outgoing.resume'; webhook: number }
  /** A message was refused by every recipient, so the store has nothing of it: these webhooks are to post that. */
  | { type: 'outgoing.note'; webhooks: number[]; event: OutgoingEvent }
  /** Retries one dead letter, or all. */
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
