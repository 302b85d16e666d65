import { largestUnit } from '../../text/spans.ts'
import { Charts } from '../now/charts.tsx'
import { Concerns } from '../now/concerns.tsx'
import { Feed } from '../now/feed.tsx'
import { MemberList } from '../now/member-list.tsx'
import { type MembersNow, useMembersNow } from '../now/members-now.ts'
import '../now/now.css'
import { Questions } from '../now/questions.tsx'
import { PageHead } from '../ui/panel.tsx'
import { now } from '../ui/time.tsx'

/** `#/now`: presence, work of sessions, unread messages, open requests, and messages as they are sent. */
export default function NowPage() {
  const asked = useMembersNow()
  const members = asked.value.value
  return (
    <>
      <PageHead title="Now" />
      {members && <Concerns of={members} />}
      <Figures of={members} />
      <div class="now">
        <div class="stack">
          <MemberList asked={asked} />
        </div>
        {/* Shown once it is known whether there are open requests, which would move the feed down. */}
        <div class={`stack now-side ${members || asked.error.value !== undefined ? '' : 'pending'}`}>
          {members && <Questions requests={members.openRequests} />}
          <Feed />
        </div>
        <Charts />
      </div>
    </>
  )
}

/** Four figures that summarize the state. Their boxes are drawn from the beginning, so that nothing moves. */
function Figures({ of }: { of: MembersNow | undefined }) {
  const readers = of?.members.filter(({ kind }) => kind !== 'service') ?? []
  const unread = readers.reduce((sum, { unread = 0 }) => sum + unread, 0)
  const oldest = readers
    .filter(({ oldestUnreadAt }) => oldestUnreadAt)
    .sort((a, b) => Date.parse(a.oldestUnreadAt!) - Date.parse(b.oldestUnreadAt!))[0]
  const waitedMs = oldest ? now.value - Date.parse(oldest.oldestUnreadAt!) : 0
  return (
    <dl class="figures">
      <Figure
        name="online"
        of={of && `${readers.filter(({ online }) => online).length}`}
        more={of && `of ${readers.length}`}
      />
      <Figure name="unread" of={of && String(unread)} />
      <Figure
        name="oldest unread"
        of={of && (oldest ? largestUnit(Math.max(0, waitedMs)) : 'none')}
        more={oldest && `for ${oldest.name}`}
        tone={waitedMs > 3_600_000 ? 'warn' : undefined}
      />
      <Figure name="open requests" of={of && String(of.openRequests.length)} />
    </dl>
  )
}

function Figure({
  name,
  of,
  more,
  tone,
}: {
  name: string
  of: string | undefined
  more?: string | undefined
  tone?: string | undefined
}) {
  return (
    <div class={`figure ${tone ?? ''}`}>
      <dt>{name}</dt>
      <dd>
        <b>{of ?? '–'}</b> {more && <span class="hint">{more}</span>}
      </dd>
    </div>
  )
}
