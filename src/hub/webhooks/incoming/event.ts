/** What an event says, made of parts that are safe to show: each in one line, cut, with whatever draws nothing made visible. */
export interface WebhookEvent {
  /** What its source calls it: `push`, `workflow_run completed`. */
  event: string
  /** What happened, in one line. */
  line: string
  /** What its sender wrote, where that is a text of its own: it may have several lines. */
  text?: string
  /** Where there is more: an http or https URL. */
  link?: string | undefined
  /** Who did it, as the source calls them. */
  actor?: string | undefined
  /** Whether it reports that something failed. */
  failed: boolean
}

/** An event that becomes no message, and why. */
export interface Ignored {
  event: string
  ignored: string
}

export type Reading = WebhookEvent | Ignored

/** A call of a webhook, once its body was read. */
export interface WebhookCall {
  /** Names in lower case. A header that came more than once is a list, or joined by commas. */
  headers: Readonly<Record<string, string | string[] | undefined>>
  /** The body, byte by byte: what is signed. */
  raw: Buffer
}

/** Whether a call comes from who knows the secret, and by what it is known again when it comes again. */
export type Proof =
  | {
      ok: true
      /** The source's own name for the delivery. Without one each call is another. */
      deliveryId?: string | undefined
      /** SHA-256 of the body, where that is signed and the delivery's name is not: what was signed counts once, whatever name comes with it. */
      seal?: Buffer
    }
  | { ok: false; why: string; hint: string }

/** One source of events. */
export interface Source {
  /** `secrets` are those that count now; `now` is the wall clock in ms since 1970. */
  prove: (call: WebhookCall, secrets: readonly string[], now: number) => Proof
  /** The media types that it sends, beside JSON. */
  takesText?: true
  /** What to say to who sends a form. */
  formHint: string
  /** Reads an event. Throws `invalid` for what is none of this source. */
  read: (payload: unknown, call: WebhookCall) => Reading
  /** An event as an example. */
  example: WebhookEvent
}
