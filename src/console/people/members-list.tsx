import { lastUse, memberState } from '../../text/member-state.ts'
import { presenceInWords, serviceState } from '../../text/presence.ts'
import { count } from '../../text/spans.ts'
import { href } from '../router.ts'
import { Badge, Count, Presence } from '../ui/badge.tsx'
import { now } from '../ui/time.tsx'
import { VirtualList } from '../ui/virtual-list.tsx'
import { hasNoAccess, type Listed } from './directory.ts'

const kindWords: Record<string, string> = { human: 'person', service: 'service' }

/** The members, one row each; any number of them. `mine` are marked. */
export function MembersList({ members, mine }: { members: readonly Listed[]; mine: ReadonlySet<string> }) {
  return (
    <div class="members-box" style={{ '--rows': members.length }}>
      <VirtualList
        class="members-list"
        items={members}
        keyOf={({ name }) => name}
        estimate={58}
        label={count(members.length, 'member')}
      >
        {member => <Row member={member} isMine={mine.has(member.name)} />}
      </VirtualList>
    </div>
  )
}

function Row({ member, isMine }: { member: Listed; isMine: boolean }) {
  const { name, kind, owner, aliases, online, unread, sessions, sessionCount, tokens } = member
  const live = sessionCount ?? sessions.length
  return (
    <a class="member-row" href={href('members', [name])}>
      <Presence online={online} />
      <span class="who">
        <span class="names">
          <b>{name}</b>
          {kindWords[kind] && <Badge>{kindWords[kind]}</Badge>}
          {isMine && <Badge tone="info">yours</Badge>}
          {hasNoAccess(member) && <Badge tone="warn">no access</Badge>}
          <Count of={unread ?? 0} noun="unread" />
        </span>
        <span class="hint">
          {[
            stateOf(member, now.value),
            live > 1 && count(live, 'session'),
            aliases.length > 0 && `${aliases.length === 1 ? 'alias' : 'aliases'} ${aliases.join(', ')}`,
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
      </span>
      <span class="owner hint">{owner === null ? '' : `owned by ${owner}`}</span>
      <span class="use hint">
        {tokens && tokens.length > 0 ? `token ${useInWords(lastUse({ tokens }, now.value))}` : ''}
      </span>
    </a>
  )
}

function useInWords(use: string): string {
  return use === 'never' ? 'never used' : `used ${use}`
}

/** Returns the presence of a member in words, for an admin also whether it has access. */
export function stateOf(member: Listed, at: number): string {
  const { tokenId, tokenEndedAt = null, joinedAt = null, boundTo = [] } = member
  const { kind, online, lastSeenAt, telegram } = member
  if (kind === 'service' && tokenId === undefined) return serviceState
  if (tokenId === undefined) return presenceInWords({ online, lastSeenAt, telegram }, at)
  return memberState({ kind, online, lastSeenAt, telegram, tokenId, tokenEndedAt, joinedAt, boundTo }, at)
}
