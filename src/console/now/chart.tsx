import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type uPlot from 'uplot'
import { clockTime, moment } from '../../text/spans.ts'
import type { ChartLine, ChartUnit } from './chart-line.ts'

interface Props {
  unit: ChartUnit
  title: string
  /** The chart summarized in words, also for screen readers. */
  summary: string
  /** In s since 1970, as many as each line has values. */
  times: readonly number[]
  lines: readonly ChartLine[]
  format: (value: number) => string
}

const height = 128

/** A small chart. uPlot is loaded when the first one is drawn. The values at the pointer are shown in words beside the title. */
export function Chart({ title, unit, summary, times, lines, format }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const under = useSignal<string | undefined>(undefined)
  const latest = useRef({ times, lines, format })
  latest.current = { times, lines, format }
  const data = () => [latest.current.times, ...latest.current.lines.map(({ values }) => values)] as uPlot.AlignedData

  useEffect(() => {
    let isGone = false
    const element = box.current!
    const draw = async () => {
      const { makePlot } = await import('./plot.ts')
      if (isGone) return
      plot.current?.destroy()
      plot.current = makePlot(element, data(), latest.current.lines, { height, unit }, index => {
        const { times, lines, format } = latest.current
        const at = index === undefined ? undefined : times[index]
        const said = lines.flatMap(({ name, values }) => {
          const value = index === undefined ? null : values[index]
          return value === null || value === undefined
            ? []
            : [lines.length > 1 ? `${name} ${format(value)}` : format(value)]
        })
        under.value =
          at === undefined
            ? undefined
            : `${at * 1000 > Date.now() - 72_000_000 ? clockTime(at * 1000) : moment(at * 1000, Date.now())} ${said.join(', ') || 'no data'}`
      })
    }
    void draw()
    const watch = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }))
    watch.observe(element)
    // A canvas does not follow changes of the page's colours by itself.
    const theme = matchMedia('(prefers-color-scheme: dark)')
    theme.addEventListener('change', draw)
    addEventListener('themechange', draw)
    return () => {
      isGone = true
      watch.disconnect()
      theme.removeEventListener('change', draw)
      removeEventListener('themechange', draw)
      plot.current?.destroy()
    }
  }, [])
  useEffect(() => {
    plot.current?.setData(data())
  }, [times, lines])

  return (
    <figure class="chart">
      <figcaption>
        <span class="title">{title}</span>
        <span class="hint">{under.value ?? summary}</span>
      </figcaption>
      <div ref={box} class="canvas" aria-hidden="true" style={{ height: `${height}px` }} />
    </figure>
  )
}
