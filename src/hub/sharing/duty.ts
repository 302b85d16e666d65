/**
 * Whether this hub does what must be done once for its whole history: the clock's ticks, later mail, the bridge to Telegram, posts to
 * webhooks, notices to owners. Of several hubs that share a log one has the duty; a hub that stands alone always has it.
 */
export interface Duty {
  readonly isMine: boolean
  /** Calls `listener` each time that `isMine` has changed. Returns a function that ends this. */
  onChange(listener: () => void): () => void
}

/** The duty of a hub that stands alone. */
export const alone: Duty = { isMine: true, onChange: () => () => {} }
