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

/** Resolves once `duty` is this hub's, or `stop` aborts. */
export async function untilMine(duty: Duty, stop: AbortSignal): Promise<void> {
  const ready = Promise.withResolvers<void>()
  const look = () => {
    if (duty.isMine || stop.aborted) ready.resolve()
  }
  const end = duty.onChange(look)
  stop.addEventListener('abort', look, { once: true })
  look()
  await ready.promise
  end()
  stop.removeEventListener('abort', look)
}

/** What may go on while a hub has the duty. */
export interface Term {
  /** Aborts when the hub no longer has the duty: nothing new begins. */
  over: AbortSignal
  /** Aborts some time later: what is under way is given up. */
  cut: AbortSignal
  /** Ends the watch for that. */
  done(): void
}

/** For a hub that has the duty now. Between the two signals there are `farewellMs`. */
export function termOf(duty: Duty, farewellMs: number): Term {
  const [over, cut] = [new AbortController(), new AbortController()]
  let timer: NodeJS.Timeout | undefined
  const end = duty.onChange(() => {
    if (duty.isMine) return
    over.abort()
    timer ??= setTimeout(() => cut.abort(), farewellMs)
  })
  return {
    over: over.signal,
    cut: cut.signal,
    done: () => {
      clearTimeout(timer)
      end()
    },
  }
}
