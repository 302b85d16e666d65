import { useEffect, useRef } from 'preact/hooks'
import type { Member, MembersAnswer, OpenRequest } from '../../protocol/members.ts'
import { call } from '../api.ts'
import { useLive } from '../live.ts'
import { type Asked, useAsk } from '../ui/use-ask.ts'

/** A member with its unread messages, as far as the reader may see them. */
export type MemberNow = Member & { unread?: number; oldestUnreadAt?: string | null }

/** The response of `GET /v1/machines?with=mail`. */
export type MembersNow = Omit<MembersAnswer, 'members' | 'openRequests'> & {
  members: MemberNow[]
  openRequests: (OpenRequest & { of?: string })[]
}

/** Delay of a new request after an event, and interval without events, in ms. */
const soonMs = 3000
const everyMs = 20_000

/**
 * Loads all members with presence, work and unread messages, and keeps them up to date: presence changes with its event; the rest is
 * requested again some seconds after a message was sent or changed, and at an interval, since the work of a session has no event.
 */
export function useMembersNow(): Asked<MembersNow> {
  const asked = useAsk<MembersNow>(signal => call('listMachines', { query: { with: 'mail' }, signal }), [])
  const { soon, stop } = useThrottled(asked.reload, soonMs)
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === 'visible' && asked.reload(), everyMs)
    return () => {
      clearInterval(timer)
      stop()
    }
  }, [])
  useLive('presence', ({ name, online, lastSeenAt }) => {
    const before = asked.value.peek()
    const at = before?.members.findIndex(member => member.name === name) ?? -1
    if (!before || at < 0) return soon()
    asked.value.value = { ...before, members: before.members.with(at, { ...before.members[at]!, online, lastSeenAt }) }
    // The event does not name the sessions.
    soon()
  })
  for (const name of ['traffic', 'change', 'members', 'reset'] as const) useLive(name, soon)
  return asked
}

/** Returns a function that calls `then` once, `ms` later, however often it is called until then. */
function useThrottled(then: () => void, ms: number): { soon: () => void; stop: () => void } {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  return {
    soon: () => {
      timer.current ??= setTimeout(() => {
        timer.current = undefined
        then()
      }, ms)
    },
    stop: () => clearTimeout(timer.current),
  }
}

/** Returns the members in the order of the page: humans, machines, services; online members first, then by name. */
export function inOrder(members: readonly MemberNow[]): MemberNow[] {
  const kinds = ['human', 'machine', 'service']
  return members.toSorted(
    (a, b) =>
      kinds.indexOf(a.kind) - kinds.indexOf(b.kind) ||
      Number(b.online) - Number(a.online) ||
      (a.name < b.name ? -1 : 1),
  )
}

/** Reports whether a member matches the typed text: in its name, an alias, its owner, a project or a branch. */
export function matches(member: MemberNow, typed: string): boolean {
  const word = typed.trim().toLowerCase()
  if (word === '') return true
  return [
    member.name,
    member.owner ?? '',
    ...member.aliases,
    ...(member.projects ?? []).map(({ name }) => name),
    ...member.sessions.flatMap(({ project, branch }) => [project ?? '', branch ?? '']),
  ].some(text => text.toLowerCase().includes(word))
}
