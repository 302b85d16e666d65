import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks'

export interface VirtualListProps<Item> {
  items: readonly Item[]
  /** A key that identifies an item. */
  keyOf: (item: Item) => string | number
  children: (item: Item, index: number) => ComponentChildren
  /** Estimated height of an item that was not drawn yet, in px. The more exact, the steadier the scroll bar. */
  estimate: number
  label: string
  /** Starts at the end, and stays there when items are added while the reader is there, as in a conversation. */
  stickToEnd?: boolean
  /** Called when the reader is near the start or the end of `items`, once for each length of `items`, to load more. */
  onNearStart?: () => void
  onNearEnd?: () => void
  class?: string
}

/** Distance beyond the visible part at which items are drawn, and from an end at which more is loaded, in px. */
const overscan = 400
const nearPx = 800

/**
 * A list that draws only its visible part: any number of items, each of any height. It scrolls by itself, so give it a height. When items
 * are added before the visible ones, the visible ones do not move.
 */
export function VirtualList<Item>(props: VirtualListProps<Item>) {
  const { items, keyOf, children, estimate, label, stickToEnd = false } = props
  const box = useRef<HTMLElement>(null)
  const heights = useMemo(() => new Map<string | number, number>(), [])
  const view = useSignal({ top: 0, height: 800 })
  const version = useSignal(0)
  const atEnd = useRef(stickToEnd)
  const anchor = useRef<{ key: string | number; offset: number } | undefined>(undefined)
  const reported = useRef({ start: -1, end: -1 })

  // Start of each item; one more entry for the end of the last.
  const tops = useMemo(() => {
    const tops = new Float64Array(items.length + 1)
    for (let at = 0; at < items.length; at++) tops[at + 1] = tops[at]! + (heights.get(keyOf(items[at]!)) ?? estimate)
    return tops
  }, [items, version.value, estimate])
  const total = tops[items.length]!

  const first = Math.max(0, indexAt(tops, view.value.top - overscan))
  const last = Math.min(items.length, indexAt(tops, view.value.top + view.value.height + overscan) + 1)

  const latest = useRef({ items, tops, keyOf })
  latest.current = { items, tops, keyOf }
  const { remember, measureRow } = useMemo(
    () => ({
      /** Records the first visible item and its position. */
      remember() {
        const { items, tops, keyOf } = latest.current
        const { scrollTop } = box.current!
        const seen = Math.max(0, Math.min(items.length - 1, indexAt(tops, scrollTop)))
        const item = items[seen]
        anchor.current = item === undefined ? undefined : { key: keyOf(item), offset: tops[seen]! - scrollTop }
      },
      /** Records the height of a drawn item. Returns whether it was unknown. */
      measureRow(row: HTMLElement): boolean {
        const { items, keyOf } = latest.current
        const item = items[Number(row.dataset.index)]
        if (item === undefined || !row.isConnected) return false
        const [key, height] = [keyOf(item), row.offsetHeight]
        if (heights.get(key) === height) return false
        heights.set(key, height)
        return true
      },
    }),
    [],
  )
  const rowWatch = useRef<ResizeObserver>(undefined)

  useLayoutEffect(() => {
    const element = box.current!
    let width = element.clientWidth
    const look = () => {
      const { scrollTop, clientHeight } = element
      if (view.value.top !== scrollTop || view.value.height !== clientHeight)
        view.value = { top: scrollTop, height: clientHeight }
    }
    const scrolled = () => {
      atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 40
      remember()
      look()
    }
    element.addEventListener('scroll', scrolled, { passive: true })
    const watch = new ResizeObserver(() => {
      if (element.clientWidth !== width) {
        width = element.clientWidth
        heights.clear()
        version.value++
      }
      if (stickToEnd && atEnd.current) element.scrollTop = element.scrollHeight
      look()
    })
    watch.observe(element)
    rowWatch.current = new ResizeObserver(rows => {
      if (rows.map(({ target }) => measureRow(target as HTMLElement)).includes(true)) version.value++
    })
    look()
    return () => {
      element.removeEventListener('scroll', scrolled)
      watch.disconnect()
      rowWatch.current!.disconnect()
    }
  }, [])

  // Before the browser paints: unknown heights are measured, and the scroll position is restored relative to the first visible item.
  useLayoutEffect(() => {
    const element = box.current!
    const rows = [...element.firstElementChild!.children] as HTMLElement[]
    const isNew = rows.map(measureRow).includes(true)
    for (const row of rows) rowWatch.current!.observe(row)
    if (stickToEnd && atEnd.current) {
      if (element.scrollTop + element.clientHeight < element.scrollHeight - 1) element.scrollTop = element.scrollHeight
    } else if (anchor.current) {
      const { key, offset } = anchor.current
      const index = items.findIndex(item => keyOf(item) === key)
      if (index >= 0 && Math.abs(tops[index]! - element.scrollTop - offset) > 1)
        element.scrollTop = tops[index]! - offset
    }
    remember()
    if (isNew) version.value++
    if (element.scrollTop < nearPx && reported.current.start !== items.length) {
      reported.current.start = items.length
      props.onNearStart?.()
    }
    if (total - element.scrollTop - element.clientHeight < nearPx && reported.current.end !== items.length) {
      reported.current.end = items.length
      props.onNearEnd?.()
    }
  })

  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section ref={box} class={`virtual ${props.class ?? ''}`} tabIndex={0} aria-label={label}>
      <ul style={{ height: `${total}px` }}>
        {items.slice(first, last).map((item, at) => (
          <li
            key={keyOf(item)}
            aria-setsize={items.length}
            aria-posinset={first + at + 1}
            data-index={first + at}
            style={{ transform: `translateY(${tops[first + at]}px)` }}
          >
            {children(item, first + at)}
          </li>
        ))}
      </ul>
    </section>
  )
}

/** Returns the index of the item at `y`: the last one that starts at or above it. */
function indexAt(tops: Float64Array, y: number): number {
  let [low, high] = [0, tops.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (tops[middle]! <= y) low = middle
    else high = middle - 1
  }
  return low
}
