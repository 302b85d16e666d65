/**
 * Reports whether this hub does the work that must be done once for the whole history: clock ticks, scheduled messages, the Telegram bridge,
 * posts to webhooks, notices to owners. Of several hubs that share a log one has the duty; a standalone hub always does.
 */
export interface Duty {
  readonly isMine: boolean
  /** Calls `listener` each time that `isMine` has changed. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void
}

/** The duty of a standalone hub. */
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

/** Signals for work that runs while a hub has the duty. */
export interface Term {
  /** Aborts when the hub loses the duty: start nothing new. */
  over: AbortSignal
  /** Aborts `farewellMs` later: give up what is in flight. */
  cut: AbortSignal
  /** Stops watching the duty. */
  done(): void
}

/** Returns the signals of the current term. The second aborts `farewellMs` after the first. */
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
