import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { ChartsAnswer } from '../../protocol/charts.ts'
import { count, largestUnit } from '../../text/spans.ts'
import { call } from '../api.ts'
import { Choice } from '../ui/field.tsx'
import { Panel } from '../ui/panel.tsx'
import { Loaded } from '../ui/states.tsx'
import { useAsk } from '../ui/use-ask.ts'
import { Chart } from './chart.tsx'

/** Interval of requests for the charts, in ms. The hub updates them every 15 s. */
const everyMs = 60_000

const spans = [
  ['24', 'Day'],
  ['168', 'Week'],
] as const

/** Charts of messages sent, time to notice, and age of the oldest unread message, over a day or a week. */
export function Charts() {
  const hours = useSignal<'24' | '168'>('24')
  const asked = useAsk<ChartsAnswer>(signal => call('charts', { query: { hours: hours.value }, signal }), [hours.value])
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === 'visible' && asked.reload(), everyMs)
    return () => clearInterval(timer)
  }, [])
  return (
    <Panel
      class="now-charts"
      title="Trends"
      actions={
        <Choice label="Time range" value={hours.value} onInput={value => (hours.value = value)} options={spans} />
      }
    >
      <div class="charts">
        <Loaded asked={asked} rows={3} what="the charts">
          {answer => <Three of={answer} />}
        </Loaded>
      </div>
    </Panel>
  )
}

function Three({ of: { from, bucketS, sends, noticeMs, oldestUnreadS } }: { of: ChartsAnswer }) {
  const start = Date.parse(from) / 1000
  const times = sends.map((_, at) => start + at * bucketS)
  const total = sends.reduce((sum, each) => sum + each, 0)
  const waits = oldestUnreadS.at(-1)
  const typical = middle(noticeMs.p50)
  return (
    <>
      <Chart
        title="Messages sent"
        unit="count"
        summary={count(total, 'message')}
        times={times}
        lines={[{ name: 'sent', values: sends, tone: 'accent', look: 'bars' }]}
        format={value => count(value, 'message')}
      />
      <Chart
        title="Time to notice"
        unit="ms"
        summary={typical === undefined ? 'no data' : `typically ${short(typical)}`}
        times={times}
        lines={[
          { name: 'median', values: noticeMs.p50, tone: 'info', look: 'line' },
          { name: '95th percentile', values: noticeMs.p95, tone: 'soft', look: 'line' },
        ]}
        format={short}
      />
      <Chart
        title="Oldest unread"
        unit="s"
        summary={waits === null || waits === undefined ? 'nothing unread' : `${largestUnit(waits * 1000)} now`}
        times={times}
        lines={[{ name: 'oldest', values: oldestUnreadS, tone: 'warn', look: 'area' }]}
        format={seconds => largestUnit(seconds * 1000)}
      />
    </>
  )
}

function short(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : largestUnit(ms)
}

/** Returns the median of the values that are not null. */
function middle(values: readonly (number | null)[]): number | undefined {
  const there = values.filter(value => value !== null).sort((a, b) => a - b)
  return there[there.length >> 1]
}
