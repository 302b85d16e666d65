import { href } from '../router.ts'
import { Badge } from '../ui/badge.tsx'
import { Name } from '../ui/name.tsx'
import { Panel } from '../ui/panel.tsx'
import { Line } from '../ui/text.tsx'
import { Time } from '../ui/time.tsx'
import type { MembersNow } from './members-now.ts'

const statusWords = { stored: 'not shown yet', fetched: 'shown', acked: 'acked' } as const

/** Open requests, the newest first. */
export function Questions({ requests }: { requests: MembersNow['openRequests'] }) {
  if (requests.length === 0) return null
  return (
    <Panel flush title={`Open requests · ${requests.length}`} class="now-questions">
      <ul>
        {requests.map(({ id, of, sentAt, intent, beginning, waitingFor }) => (
          <li key={id} class="feed-item">
            <p class="feed-head">
              <span>
                {of !== undefined && (
                  <>
                    <Name of={of} plain />
                    <span class="hint">waiting for</span>
                  </>
                )}
                {waitingFor.slice(0, 4).map(({ name, project, status }) => (
                  <span key={`${name}/${project}`} title={statusWords[status]}>
                    <Name of={name} project={project} plain />
                  </span>
                ))}
                {waitingFor.length > 4 && <span class="hint">and {waitingFor.length - 4} more</span>}
                {intent === 'urgent' && <Badge tone="bad">urgent</Badge>}
              </span>
              <span class="hint">
                <Time at={sentAt} />
              </span>
            </p>
            <p class="feed-text">
              <a class="whole" href={href('messages', [id])}>
                {beginning === '' ? 'Open the request' : <Line max={160}>{beginning}</Line>}
              </a>
            </p>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
