import { useSignal } from '@preact/signals'
import type { Session } from '../../protocol/members.ts'
import { checkoutInWords, doingInWords } from '../../text/activity.ts'
import { presenceInWords } from '../../text/presence.ts'
import { count } from '../../text/spans.ts'
import { Count, Presence } from '../ui/badge.tsx'
import { Choice, Field } from '../ui/field.tsx'
import { Name } from '../ui/name.tsx'
import { Panel } from '../ui/panel.tsx'
import { Empty, Loaded } from '../ui/states.tsx'
import { Line } from '../ui/text.tsx'
import { now, Time } from '../ui/time.tsx'
import type { Asked } from '../ui/use-ask.ts'
import { VirtualList } from '../ui/virtual-list.tsx'
import { inOrder, type MemberNow, type MembersNow, matches } from './members-now.ts'

type Row = { heading: string; id: string } | MemberNow

const headings = { human: 'People', machine: 'Machines', service: 'Services' } as const

/** Number of rows beyond which only visible rows are drawn, in a list that scrolls by itself. */
const maxPlain = 60

/** Most sessions shown of one machine. */
const maxSessions = 4

const choices = [
  ['all', 'All'],
  ['online', 'Online'],
  ['unread', 'Unread'],
] as const
type Which = (typeof choices)[number][0]

/** All members with presence, work and unread messages. */
export function MemberList({ asked }: { asked: Asked<MembersNow> }) {
  const members = asked.value.value?.members ?? []
  const typed = useSignal('')
  const which = useSignal<Which>('all')
  const shown = inOrder(members).filter(
    member =>
      matches(member, typed.value) &&
      (which.value !== 'online' || member.online) &&
      (which.value !== 'unread' || (member.unread ?? 0) > 0),
  )
  const rows: Row[] = []
  for (const [at, member] of shown.entries()) {
    if (shown[at - 1]?.kind !== member.kind) {
      const all = shown.filter(({ kind }) => kind === member.kind).length
      rows.push({ heading: `${headings[member.kind]} · ${all}`, id: member.kind })
    }
    rows.push(member)
  }
  const draw = (row: Row) =>
    'heading' in row ? <h3 class="now-heading">{row.heading}</h3> : <MemberRow member={row} />
  const keyOf = (row: Row) => ('heading' in row ? `heading ${row.id}` : row.name)
  return (
    <Panel
      flush
      class="now-members"
      title="Members"
      actions={
        <>
          <Choice
            label="Filter members"
            value={which.value}
            onInput={value => (which.value = value)}
            options={choices}
          />
          <Field
            bare
            label="Search members and projects"
            type="search"
            placeholder="Search"
            value={typed.value}
            onInput={value => (typed.value = value)}
          />
        </>
      }
    >
      <Loaded asked={asked} rows={8} what="the members">
        {() =>
          rows.length === 0 ? (
            <Empty icon="members" title={members.length === 0 ? 'No members yet' : 'No matching members'}>
              {members.length === 0 && (
                <>
                  The admin invites a machine with <code>claude-net invite NAME</code>, or on the Members page.
                </>
              )}
            </Empty>
          ) : rows.length > maxPlain ? (
            <VirtualList items={rows} keyOf={keyOf} estimate={58} label="Members" class="now-scroll">
              {draw}
            </VirtualList>
          ) : (
            <ul>
              {rows.map(row => (
                <li key={keyOf(row)}>{draw(row)}</li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Panel>
  )
}

function MemberRow({ member }: { member: MemberNow }) {
  const { name, kind, owner, online, sessions, sessionCount, unread = 0, oldestUnreadAt } = member
  const known = sessions.filter(session => session.project ?? session.busySince ?? session.idleSince ?? session.status)
  const others = (sessionCount ?? sessions.length) - Math.min(known.length, maxSessions)
  return (
    <div class="now-member">
      {kind === 'service' ? <span class="presence none" /> : <Presence online={online} />}
      <div class="grow">
        <div class="row baseline">
          <Name of={name} />
          {owner !== null && (
            <span class="hint">
              owned by <Name of={owner} />
            </span>
          )}
          {!online && kind !== 'service' && <span class="hint">{presenceInWords(member, now.value)}</span>}
        </div>
        {known.slice(0, maxSessions).map(session => (
          <SessionLine key={session.session} session={session} />
        ))}
        {online && others > 0 && (
          <p class="hint">{known.length === 0 ? count(others, 'session') : `and ${count(others, 'more session')}`}</p>
        )}
      </div>
      {unread > 0 && (
        <div class="now-unread">
          <Count of={unread} noun="unread" />
          {oldestUnreadAt && (
            <span class="hint">
              <Time at={oldestUnreadAt} />
            </span>
          )}
        </div>
      )}
    </div>
  )
}

/** The work of one session: `billing` `main` busy for 3 min, and its status line. */
function SessionLine({ session }: { session: Session }) {
  const checkout = checkoutInWords(session)
  const doing = doingInWords(session, now.value)
  return (
    <p class={`now-session ${session.prompt ? 'waits' : session.busySince !== undefined ? 'busy' : ''}`}>
      {session.project !== undefined && <Line max={64}>{session.project}</Line>}
      {checkout !== '' && (
        <span class="branch" dir="auto">
          {checkout}
        </span>
      )}
      {doing !== '' && <span class="doing">{doing}</span>}
      {session.status !== undefined && (
        <q>
          <Line max={100}>{session.status}</Line>
        </q>
      )}
    </p>
  )
}
