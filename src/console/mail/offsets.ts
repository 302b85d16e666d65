/** Where each row of a list starts, in px from the top of the list; one more than there are rows, the last is the height of all. */
export type Offsets = Float64Array

/** The offsets of rows with these heights, in px. */
export function offsetsOf(count: number, heightOf: (index: number) => number): Offsets {
  const offsets = new Float64Array(count + 1)
  for (let index = 0; index < count; index++) offsets[index + 1] = offsets[index]! + heightOf(index)
  return offsets
}

/** The row that is drawn at `y`: the first one above the list, the last one below. -1 where there are no rows. */
export function rowAt(offsets: Offsets, y: number): number {
  let [low, high] = [0, offsets.length - 2]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (offsets[middle]! <= y) low = middle
    else high = middle - 1
  }
  return high < 0 ? -1 : low
}

/** The rows from `first` up to `end` that a viewport shows, and as many px more above and below it. */
export function rowsWithin(
  offsets: Offsets,
  top: number,
  height: number,
  more: number,
): { first: number; end: number } {
  if (offsets.length === 1) return { first: 0, end: 0 }
  return { first: rowAt(offsets, top - more), end: rowAt(offsets, top + height + more) + 1 }
}

/** Rows that are in sight, with how far above the top of the viewport each starts, in px: what must not move when others change. */
export type Anchor = readonly { key: string; above: number }[]

export function anchorAt(offsets: Offsets, keys: readonly string[], top: number, height: number): Anchor {
  const { first, end } = rowsWithin(offsets, top, height, 0)
  return keys.slice(first, end).map((key, index) => ({ key, above: top - offsets[first + index]! }))
}

/** Where the viewport has to be for the first anchored row that is still there to stay where it is. Undefined where none is. */
export function topFor(
  anchor: Anchor,
  offsets: Offsets,
  indexOf: (key: string) => number | undefined,
): number | undefined {
  for (const { key, above } of anchor) {
    const index = indexOf(key)
    if (index !== undefined) return offsets[index]! + above
  }
  return undefined
}
