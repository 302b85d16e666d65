import { useEffect, useRef } from 'preact/hooks'
import { type LiveEvents, onLive } from '../live.ts'

/** Delay between a change and the next request, in ms, so that many changes cause one. */
const quietMs = 1500

/** Calls `reload` soon after any of these events, and no more often than every `everyMs`. */
export function useReloadOn(names: readonly (keyof LiveEvents)[], reload: () => void, everyMs = quietMs): void {
  const latest = useRef(reload)
  latest.current = reload
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let lastAt = Number.NEGATIVE_INFINITY
    const soon = () => {
      timer ??= setTimeout(
        () => {
          timer = undefined
          lastAt = performance.now()
          latest.current()
        },
        Math.max(50, lastAt + everyMs - performance.now()),
      )
    }
    const stops = names.map(name => onLive(name, soon))
    return () => {
      clearTimeout(timer)
      for (const stop of stops) stop()
    }
  }, [])
}

/** Calls `reload` every `everyMs` while the page is visible. */
export function useReloadEvery(everyMs: number, reload: () => void): void {
  const latest = useRef(reload)
  latest.current = reload
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === 'visible' && latest.current(), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
}
