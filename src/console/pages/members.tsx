import { useComputed, useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import type { Group } from '../../protocol/members.ts'
import { count } from '../../text/spans.ts'
import { call } from '../api.ts'
import type { PageProps } from '../lazy-page.tsx'
import { useLive } from '../live.ts'
import { kinds, type Listed, states, wantedMembers } from '../people/directory.ts'
import { GroupsPanel } from '../people/groups.tsx'
import { InviteDialog } from '../people/invite.tsx'
import { MemberPage } from '../people/member-page.tsx'
import { MembersList } from '../people/members-list.tsx'
import { useReloadOn } from '../people/use-reload.ts'
import '../people/people.css'
import { go, href } from '../router.ts'
import { who } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Field, Select } from '../ui/field.tsx'
import { PageHead, Panel } from '../ui/panel.tsx'
import { Empty, Loaded } from '../ui/states.tsx'
import { Line } from '../ui/text.tsx'
import { useAsk } from '../ui/use-ask.ts'

interface Directory {
  members: Listed[]
  groups: Group[]
  version: string | undefined
}

/** Data of all members that the reader may see: more for an admin. */
async function ask(signal: AbortSignal): Promise<Directory> {
  if (who.peek()!.role !== 'admin') {
    const { members, groups = [], version } = await call('listMachines', { signal })
    return { members, groups, version }
  }
  const [{ members }, { groups }] = await Promise.all([call('listMembers', { signal }), call('listGroups', { signal })])
  return { members, groups, version: who.peek()!.version }
}

/** `#/members` and `#/members/NAME` */
export default function MembersPage({ parts: [name], query }: PageProps) {
  const directory = useAsk(ask, [])
  useReloadOn(['members'], directory.reload)
  // Unread counts may lag a little: otherwise every message would request all members.
  useReloadOn(['traffic', 'change', 'reset'], directory.reload, 10_000)
  useLive('presence', ({ name, online, lastSeenAt }) => {
    const known = directory.value.peek()
    if (!known) return
    const members = known.members.map(each => (each.name === name ? { ...each, online, lastSeenAt } : each))
    directory.value.value = { ...known, members }
  })
  return (
    <Loaded asked={directory} rows={10} what="the list of members">
      {known => {
        if (name === undefined) return <Everyone {...{ known, query, reload: directory.reload }} />
        const member =
          known.members.find(each => each.name === name) ?? known.members.find(each => each.aliases.includes(name))
        if (!member) return <Unknown name={name} isGroup={known.groups.some(group => group.name === name)} />
        return (
          <MemberPage
            key={member.name}
            {...{
              member,
              members: known.members,
              groups: known.groups,
              hubVersion: known.version,
              reload: directory.reload,
            }}
          />
        )
      }}
    </Loaded>
  )
}

function Everyone({ known, query, reload }: { known: Directory; query: PageProps['query']; reload: () => void }) {
  const me = who.value!
  const isAdmin = me.role === 'admin'
  const inviting = useSignal(false)
  const { q = '', kind = '', state = '' } = query
  const mine = useMemo(() => new Set([me.name, ...me.owns]), [me])
  const shown = useMemo(
    () => wantedMembers(known.members, known.groups, { words: q, kind, state }, mine),
    [known, q, kind, state, mine],
  )
  const people = useComputed(() => known.members.filter(each => each.kind === 'human').map(each => each.name)).value
  const narrow = (change: Record<string, string>) => go('members', [], { q, kind, state, ...change }, { replace: true })
  const isNarrowed = q !== '' || kind !== '' || state !== ''
  return (
    <>
      <PageHead
        title="Members"
        actions={
          isAdmin && (
            <Button look="main" icon="plus" onClick={() => (inviting.value = true)}>
              Invite
            </Button>
          )
        }
      >
        {summary(known.members)}
        {!isAdmin && ' Only the admin can change access, owners and names.'}
      </PageHead>
      <div class="members-columns">
        <Panel flush class="members">
          <div class="filters">
            <Field
              label="Search members"
              bare
              type="search"
              placeholder="Name, alias, owner, project or group"
              value={q}
              onInput={value => narrow({ q: value })}
            />
            <Select label="Kind" bare value={kind} options={kinds} onInput={value => narrow({ kind: value })} />
            <Select
              label="State"
              bare
              value={state}
              options={isAdmin ? states : states.filter(([value]) => value !== 'unread' && value !== 'out')}
              onInput={value => narrow({ state: value })}
            />
          </div>
          {shown.length > 0 ? (
            <MembersList members={shown} mine={mine} />
          ) : (
            <Empty icon="members" title={isNarrowed ? 'No matching members' : 'No members yet'}>
              {isNarrowed ? (
                <Button onClick={() => narrow({ q: '', kind: '', state: '' })}>Clear filters</Button>
              ) : isAdmin ? (
                'Invite the first machine: you get a join line to run on it.'
              ) : (
                'The admin invites members.'
              )}
            </Empty>
          )}
        </Panel>
        <GroupsPanel groups={known.groups} isAdmin={isAdmin} reload={reload} />
      </div>
      {inviting.value && (
        <InviteDialog
          people={people}
          onClose={() => {
            inviting.value = false
            reload()
          }}
        />
      )}
    </>
  )
}

function summary(members: readonly Listed[]): string {
  const of = (kind: string) => members.filter(each => each.kind === kind)
  const machines = of('machine')
  const services = of('service').length
  return `${[
    `${count(machines.length, 'machine')}, ${machines.filter(({ online }) => online).length} online`,
    count(of('human').length, 'person', 'people'),
    ...(services > 0 ? [count(services, 'service')] : []),
  ].join('; ')}.`
}

function Unknown({ name, isGroup }: { name: string; isGroup: boolean }) {
  return (
    <Empty icon="members" title={isGroup ? 'This is a group' : 'No such member'}>
      <p>
        {!isGroup && <Line max={64}>{name}</Line>}
        {isGroup ? 'Groups are shown beside the list of members.' : ' was deleted or renamed, or never existed.'}
      </p>
      <p>
        <a href={href('members')}>All members</a>
      </p>
    </Empty>
  )
}
