import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { clockTime, largestUnit } from '../../text/spans.ts'
import type { ChartLine, ChartUnit } from './chart-line.ts'

/** Intervals between grid lines, in s. */
const clockSteps = [
  ...[1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600],
]
const steps: Record<ChartUnit, number[]> = {
  count: [0, 1, 2, 3, 4, 5, 6].flatMap(power => [1, 2, 5].map(each => each * 10 ** power)),
  ms: [10, 20, 50, 100, 200, 500, ...clockSteps.map(seconds => seconds * 1000)],
  s: clockSteps,
}

/** Creates a uPlot chart in the colours of the page. `onPoint` receives the index under the pointer, undefined once it has left. */
export function makePlot(
  into: HTMLElement,
  data: uPlot.AlignedData,
  lines: readonly ChartLine[],
  { height, unit }: { height: number; unit: ChartUnit },
  onPoint: (index: number | undefined) => void,
): uPlot {
  const tones = { accent: '--accent', info: '--info', warn: '--warn', soft: '--line-strong' } as const
  const [ink, grid] = [colour(into, '--ink-soft'), colour(into, '--line')]
  const font = `11px ${getComputedStyle(into).fontFamily}`
  return new uPlot(
    {
      width: into.clientWidth,
      height,
      // The last label of the time axis may stand over the end of the plot.
      padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
      scales: { y: { range: (_self, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
      axes: [
        { stroke: ink, font, grid: { show: false }, ticks: { show: false }, size: 22, space: 50, values: hours },
        {
          stroke: ink,
          font,
          grid: { stroke: grid, width: 1 },
          ticks: { show: false },
          size: 54,
          space: 34,
          values: words,
          incrs: steps[unit],
        },
      ],
      series: [
        {},
        ...lines.map(({ tone, look }): uPlot.Series => {
          const stroke = colour(into, tones[tone])
          return {
            stroke,
            width: look === 'bars' ? 0 : 1.5,
            points: { show: (_self, series) => look !== 'bars' && isLonely(data[series]!) },
            ...(look === 'bars' && { fill: stroke, paths: uPlot.paths.bars!({ size: [0.8, 20] }) }),
            ...(look === 'area' && { fill: `color-mix(in srgb, ${stroke} 18%, transparent)` }),
          }
        }),
      ],
      hooks: { setCursor: [self => onPoint(self.cursor.idx ?? undefined)] },
    },
    data,
    into,
  )

  /** Reports whether no two neighbours have values, so that points are needed: a line would show nothing. */
  function isLonely(values: ArrayLike<number | null | undefined>): boolean {
    return !Array.from(values).some((value, at) => value != null && values[at + 1] != null)
  }

  function hours(_self: uPlot, times: number[]): string[] {
    const isLong = times.length > 1 && times[1]! - times[0]! >= 86_400
    return times.map(time =>
      isLong ? new Date(time * 1000).toLocaleDateString('en-GB', { weekday: 'short' }) : clockTime(time * 1000),
    )
  }

  function words(_self: uPlot, values: number[]): string[] {
    return values.map(value =>
      unit === 'count'
        ? brief(value)
        : unit === 'ms' && value < 1000
          ? `${value} ms`
          : largestUnit(unit === 's' ? value * 1000 : value),
    )
  }
}

/** Returns the current colour of a token of the page. A canvas does not support `var()` or `light-dark()`. */
function colour(near: HTMLElement, token: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${token})`
  near.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

function brief(value: number): string {
  return value >= 1_000_000 ? `${value / 1_000_000} M` : value >= 10_000 ? `${value / 1000} k` : String(value)
}
