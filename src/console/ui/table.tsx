import type { ComponentChildren } from 'preact'

/** One column of a table. */
export interface Column<Row> {
  /** Its head, and the label of its cells on a narrow screen, where each row is a card. */
  head: string
  cell: (row: Row) => ComponentChildren
  /** Right-aligned, in figures of equal width. */
  number?: boolean
  /** On a narrow screen: `title` is the card's first line, `hidden` is left out. */
  narrow?: 'title' | 'hidden'
}

/** A table of up to a few hundred rows (longer ones: `VirtualList`), which becomes cards on a narrow screen. `caption` is for screen readers. */
export function Table<Row>({
  caption,
  columns,
  rows,
  keyOf,
}: {
  caption: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  keyOf: (row: Row) => string | number
}) {
  return (
    <table class="table">
      <caption class="hidden">{caption}</caption>
      <thead>
        <tr>
          {columns.map(({ head, number }) => (
            <th key={head} scope="col" class={number ? 'number' : ''}>
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(row => (
          <tr key={keyOf(row)}>
            {columns.map(({ head, cell, number, narrow }) => (
              <td key={head} data-head={head} class={`${number ? 'number' : ''} ${narrow ? `narrow-${narrow}` : ''}`}>
                {cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
