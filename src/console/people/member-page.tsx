import { useSignal } from '@preact/signals'
import type { Group } from '../../protocol/members.ts'
import { href } from '../router.ts'
import { mayRead, who } from '../session.ts'
import { Badge, Presence } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Name } from '../ui/name.tsx'
import { Facts, PageHead, Panel } from '../ui/panel.tsx'
import { now, Time } from '../ui/time.tsx'
import { AccessPanel } from './access.tsx'
import type { Listed } from './directory.ts'
import { groupsByMember } from './directory.ts'
import { DeleteMember } from './member-end.tsx'
import { Aliases, OwnerField, RenameDialog } from './member-names.tsx'
import { stateOf } from './members-list.tsx'
import { PolicyPanel } from './policy.tsx'
import { ProjectsPanel, SessionsPanel } from './work.tsx'

/** One member: its identity, sessions and policy; for an admin also its access and deletion. */
export function MemberPage({
  member,
  members,
  groups,
  hubVersion,
  reload,
}: {
  member: Listed
  members: readonly Listed[]
  groups: readonly Group[]
  hubVersion: string | undefined
  reload: () => void
}) {
  const me = who.value!
  const isAdmin = me.role === 'admin'
  const { name, kind, owner, aliases, online, unread, createdAt } = member
  const isService = kind === 'service'
  const renaming = useSignal(false)
  const speaksFor = isAdmin || me.name === name || me.owns.includes(name)
  const owned = members.filter(other => other.owner === name).map(other => other.name)
  const inGroups = groupsByMember(groups).get(name) ?? []
  const people = members.filter(other => other.kind === 'human').map(other => other.name)
  const known = members.map(other => other.name).filter(other => other !== name)
  return (
    <>
      <p>
        <a class="back" href={href('members')}>
          All members
        </a>
      </p>
      <PageHead
        title={
          <span class="row">
            <Presence online={online} /> {name}{' '}
            {kind !== 'machine' && <Badge>{isService ? 'service' : 'person'}</Badge>}
            {me.name === name && <Badge tone="info">you</Badge>}
          </span>
        }
        actions={
          <>
            {mayRead(name) && (
              <a class="button" href={href('conversations', [name])}>
                {(unread ?? 0) > 0 ? `Messages (${unread} unread)` : 'Messages'}
              </a>
            )}
            {isAdmin && <Button onClick={() => (renaming.value = true)}>Rename</Button>}
          </>
        }
      >
        {stateOf(member, now.value)}
      </PageHead>
      <div class="columns">
        <div class="stack wide-gap">
          <Panel title="Identity">
            <Facts
              of={[
                [
                  'Owner',
                  kind === 'machine' &&
                    (isAdmin ? <OwnerField {...{ member, people, reload }} /> : owner ? <Name of={owner} /> : 'none'),
                ],
                ['Machines', owned.length > 0 && <Names of={owned} />],
                ['Aliases', isAdmin ? <Aliases {...{ name, aliases, reload }} /> : aliases.join(', ') || 'none'],
                ['Groups', inGroups.length > 0 ? inGroups.map(group => `@${group}`).join(', ') : 'none'],
                ['Unread', unread === undefined ? undefined : String(unread)],
                ['Telegram', member.telegram === undefined ? undefined : member.telegram ? 'connected' : 'not set up'],
                ['Joined', joinedInWords(member)],
                ['Created', createdAt && <Time at={createdAt} as="moment" />],
              ]}
            />
          </Panel>
          {!isService && isAdmin && <AccessPanel {...{ member, people, reload }} />}
        </div>
        <div class="stack wide-gap">
          {!isService && speaksFor && <PolicyPanel {...{ name, kind, known }} />}
          {kind === 'machine' && <ProjectsPanel member={member} />}
          {!isAdmin && (
            <p class="hint">
              {speaksFor
                ? 'Only the admin can change its tokens and names, or delete it.'
                : 'Only the member itself, its owner and the admin see its policy; only the admin manages its tokens.'}
            </p>
          )}
        </div>
      </div>
      {kind === 'machine' && <SessionsPanel {...{ member, hubVersion }} />}
      {isAdmin && !isService && <DeleteMember {...{ member, owned }} />}
      {isAdmin && isService && (
        <p class="hint">
          The service sends the events of an incoming webhook. To edit or delete it, go to{' '}
          <a href={href('webhooks')}>Webhooks</a>.
        </p>
      )}
      {renaming.value && <RenameDialog {...{ name, kind, onClose: () => (renaming.value = false) }} />}
    </>
  )
}

function joinedInWords({ joinedAt, kind }: Listed) {
  if (joinedAt === undefined || kind === 'service') return undefined
  return joinedAt === null ? 'not yet' : <Time at={joinedAt} as="moment" />
}

function Names({ of }: { of: readonly string[] }) {
  return (
    <span class="names-of">
      {of.map(name => (
        <Name key={name} of={name} />
      ))}
    </span>
  )
}
