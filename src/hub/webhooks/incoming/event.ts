/** An event, in parts that are safe to show: each in one line, truncated, with invisible characters made visible. */
export interface WebhookEvent {
  /** Name that its source gives it: `push`, `workflow_run completed`. */
  event: string
  /** Summary of the event, in one line. */
  line: string
  /** Text written by its sender, if there is one. May have several lines. */
  text?: string
  /** An http or https URL with more about it. */
  link?: string | undefined
  /** The user who caused it, as the source names them. */
  actor?: string | undefined
  /** Whether it reports a failure. */
  failed: boolean
}

/** An event that is not stored as a message, and why. */
export interface Ignored {
  event: string
  ignored: string
}

export type Reading = WebhookEvent | Ignored

/** A call of a webhook, with its body. */
export interface WebhookCall {
  /** By name in lower case. A repeated header is a list, or joined by commas. */
  headers: Readonly<Record<string, string | string[] | undefined>>
  /** The body as received: the signature covers these bytes. */
  raw: Buffer
}

/** Result of authenticating a call, with the ids by which a repeated delivery is recognized. */
export type Proof =
  | {
      ok: true
      /** The source's id of the delivery. Calls without one are always new. */
      deliveryId?: string | undefined
      /**
       * SHA-256 of the body, if the signature covers that but not the delivery id: a signed body counts once, whatever id comes with it.
       */
      seal?: Buffer
    }
  | { ok: false; why: string; hint: string }

/** A source of events. */
export interface Source {
  /** Authenticates a call. `secrets` are the valid ones; `now` is the wall clock in ms since 1970. */
  prove: (call: WebhookCall, secrets: readonly string[], now: number) => Proof
  /** Set if plain text is accepted beside JSON. */
  takesText?: true
  /** Hint for a sender that posts a form. */
  formHint: string
  /** Parses an event. Throws `invalid` for anything that the source does not send. */
  read: (payload: unknown, call: WebhookCall) => Reading
  /** An example event. */
  example: WebhookEvent
}
