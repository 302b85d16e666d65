import { effect, type ReadonlySignal, type Signal, useSignal } from '@preact/signals'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { HubError } from '../api.ts'
import { live } from '../live.ts'

/** A request to the hub, with its result. */
export interface Asked<T> {
  /** The last response. Set it to show a known change at once. */
  value: Signal<T | undefined>
  /** Error of the last attempt; undefined after a success. */
  error: ReadonlySignal<unknown>
  loading: ReadonlySignal<boolean>
  /** Repeats the request, and keeps the last response until then. Several calls during a request cause one more. */
  reload: () => void
}

/**
 * Makes a request when the component is mounted, and again when `deps` change:
 *
 *     const members = useAsk(signal => call('listMachines', { signal }), [])
 *     return <Loaded asked={members}>{({ members }) => …}</Loaded>
 *
 * A request because of changed `deps` drops the last response first. After an offline period it is repeated once the live
 * stream is back.
 */
export function useAsk<T>(ask: (signal: AbortSignal) => Promise<T>, deps: readonly unknown[]): Asked<T> {
  const value = useSignal<T | undefined>(undefined)
  const error = useSignal<unknown>(undefined)
  const loading = useSignal(true)
  const latest = useRef(ask)
  latest.current = ask
  const running = useRef<{ stop: AbortController; again: boolean } | undefined>(undefined)

  const reload = useMemo(() => {
    const run = async () => {
      if (running.current) {
        running.current.again = true
        return
      }
      const mine = { stop: new AbortController(), again: false }
      running.current = mine
      loading.value = true
      try {
        const answer = await latest.current(mine.stop.signal)
        if (mine.stop.signal.aborted) return
        value.value = answer
        error.value = undefined
      } catch (why) {
        if (mine.stop.signal.aborted) return
        error.value = why
      }
      loading.value = false
      running.current = undefined
      if (mine.again) void run()
    }
    return () => void run()
  }, [])

  useEffect(() => {
    value.value = undefined
    error.value = undefined
    reload()
    return () => {
      running.current?.stop.abort()
      running.current = undefined
    }
  }, deps)

  useEffect(
    () =>
      effect(() => {
        const isBack = live.value.state === 'open'
        const why = error.peek()
        if (isBack && why instanceof HubError && why.isOffline) reload()
      }),
    [reload],
  )

  return { value, error, loading, reload }
}
