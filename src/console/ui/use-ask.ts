import { effect, type ReadonlySignal, type Signal, useSignal } from '@preact/signals'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { HubError } from '../api.ts'
import { live } from '../live.ts'

/** What was asked of the hub, as it stands. */
export interface Asked<T> {
  /** The last answer. Set it to show at once what is known to come. */
  value: Signal<T | undefined>
  /** Why the last try gave none; undefined after one that did. */
  error: ReadonlySignal<unknown>
  loading: ReadonlySignal<boolean>
  /** Asks again, and keeps the last answer until then. Several calls while one is under way become one more. */
  reload: () => void
}

/**
 * Asks the hub when the component comes, and anew when `deps` change:
 *
 *     const members = useAsk(signal => call('listMachines', { signal }), [])
 *     return <Loaded asked={members}>{({ members }) => …}</Loaded>
 *
 * What is asked again because `deps` changed drops the last answer first. After an offline time it is asked again by itself once the live
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
