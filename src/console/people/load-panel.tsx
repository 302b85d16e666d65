import type { StatusAnswer } from '../../protocol/status.ts'
import { bytesInWords } from '../../text/bytes.ts'
import { count } from '../../text/spans.ts'
import { Facts, Panel } from '../ui/panel.tsx'

/** Panel with the load of the hub. */
export function LoadPanel({ load }: { load: NonNullable<StatusAnswer['load']> }) {
  const { commitMs, loopMs, streams, connections, unreadAnswerBytes } = load
  return (
    <Panel title="Load">
      <Facts
        of={[
          ['Time to disk', commitMs ? quantilesInWords(commitMs) : 'nothing stored yet'],
          ['Event loop delay', loopMs ? quantilesInWords(loopMs) : 'not measured yet'],
          ['Live streams', String(streams)],
          ['Connections', `${connections.known} with a token, ${connections.strangers} without`],
          ...(unreadAnswerBytes > 0
            ? [['Slow readers', `${bytesInWords(unreadAnswerBytes)} not yet received`] as const]
            : []),
        ]}
      />
    </Panel>
  )
}

function quantilesInWords({ p50, p99, max }: { p50: number; p99: number; max: number }): string {
  return `median ${short(p50)}, 99th percentile ${short(p99)}, maximum ${short(max)}`
}

function short(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 10_000 ? `${Math.round(ms)} ms` : count(Math.round(ms / 1000), 'second')
}
