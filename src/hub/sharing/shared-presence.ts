import { randomUUID } from 'node:crypto'
import * as z from 'zod'
import { activityFields } from '../../protocol/activity.ts'
import { clientToken } from '../../protocol/client-version.ts'
import { SessionId } from '../../protocol/messages.ts'
import { ProjectName } from '../../protocol/projects.ts'
import type { Live, Presence, PresencePublisher } from '../push/presence.ts'
import type { ProjectSights } from '../push/project-sights.ts'
import type { RemoteSession } from '../push/remote-sessions.ts'
import type { SessionActivity } from '../push/session-info.ts'
import { type Board, maxValueBytes } from './board.ts'

/** Number of topics, `presence/0` to `presence/15`, over which sessions are spread: a change puts a sixteenth of them again. */
const parts = 16

/** Sessions that were ended at a hub other than their own: under `presence-ended`, for this long, in ms. */
const endedTopic = 'presence-ended'
const endedForMs = 20_000

/** Delay before urgent changes are put, and before others, in ms. A session's turns begin and end all day. */
const soonMs = 100
const laterMs = 10_000

/** Time for which the sessions of an offline hub still count, in ms: by then they beat at another, or are silent. */
const goneForMs = 10_000

/** Most members or projects with a last-seen time in one part. */
const maxSeen = 100

const Member = z.int().min(1)
const Time = z.int().min(0)
const Word = z.string().regex(/^[A-Za-z0-9_.:-]{1,100}$/)

/** A session on the board. Unknown fields of newer hubs are dropped, and its `activity` entirely if that is malformed. */
const Put = z.object({
  member: Member,
  session: SessionId,
  client: z.string().transform(clientToken),
  since: Time,
  project: ProjectName.optional(),
  activity: z
    .object({
      branch: activityFields.branch,
      commit: activityFields.commit,
      busySince: Time.optional(),
      idleSince: Time.optional(),
      status: activityFields.status,
      statusSetAt: Time.optional(),
      prompt: z.object({ id: Word, tool: Word.optional(), since: Time }).optional(),
    })
    .optional()
    .catch(undefined),
})
const Seen = z.object({ member: Member, project: ProjectName.optional(), at: Time })
const Part = z.object({ sessions: z.array(z.unknown()), seen: z.array(z.unknown()) })
const Ended = z.array(z.object({ id: z.string().max(64), member: Member, session: SessionId })).max(10_000)

type Ended = z.output<typeof Ended>

/** One part of this hub's values. */
interface Own {
  /** Sessions that beat at this hub: `MEMBER SESSION`. */
  sessions: Map<string, { member: number; session: string }>
  /** Last-seen times of sessions that have ended. */
  seen: Map<string, z.output<typeof Seen>>
  timer: NodeJS.Timeout | undefined
  dueAt: number
}

export interface SharedPresenceOptions {
  board: Board
  presence: Presence
  projects: ProjectSights
  /** Wall clock, ms since 1970. */
  now?: () => number
}

/**
 * Shares the sessions of this hub with the other hubs of its history, and receives theirs. Unchanged heartbeats are not shared: another
 * hub's session lasts until that hub removes it or goes offline.
 */
export class SharedPresence implements PresencePublisher {
  readonly #options: SharedPresenceOptions
  readonly #now: () => number
  readonly #own: Own[]
  readonly #ended: (Ended[number] & { until: number })[] = []
  /** Ends that were processed already. */
  readonly #known = new Set<string>()
  /** Parts of offline hubs, whose sessions still count for a while. */
  readonly #leaving = new Map<string, NodeJS.Timeout>()
  readonly #stop: () => void

  constructor(options: SharedPresenceOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#own = Array.from({ length: parts }, () => ({
      sessions: new Map(),
      seen: new Map(),
      timer: undefined,
      dueAt: Infinity,
    }))
    options.presence.publisher = this
    this.#stop = options.board.onChange((hub, topic, value) => this.#received(hub, topic, value))
    for (const [hub, topics] of options.board.peers)
      for (const [topic, value] of topics) this.#received(hub, topic, value)
  }

  changed(member: number, session: string, now: boolean): void {
    const part = partOf(session)
    this.#own[part]!.sessions.set(`${member} ${session}`, { member, session })
    this.#putIn(part, now ? soonMs : laterMs)
  }

  left(member: number, { session, project, seenAt: at }: Live): void {
    const part = partOf(session)
    const own = this.#own[part]!
    own.sessions.delete(`${member} ${session}`)
    for (const seen of [{ member, at }, ...(project === undefined ? [] : [{ member, project, at }])]) {
      const key = `${member} ${seen.project ?? ''}`
      own.seen.delete(key)
      own.seen.set(key, seen)
      if (own.seen.size > maxSeen) own.seen.delete(own.seen.keys().next().value!)
    }
    this.#putIn(part, soonMs)
  }

  endedElsewhere(member: number, session: string): void {
    const now = performance.now()
    const stale = this.#ended.findIndex(({ until }) => until > now)
    this.#ended.splice(0, stale < 0 ? this.#ended.length : stale)
    this.#ended.push({ id: randomUUID(), member, session, until: now + endedForMs })
    this.#options.board.put(endedTopic, JSON.stringify(this.#ended.slice(-1000)))
  }

  close(): void {
    this.#stop()
    for (const { timer } of this.#own) clearTimeout(timer)
    for (const timer of this.#leaving.values()) clearTimeout(timer)
  }

  /** Puts a part within `ms`. */
  #putIn(part: number, ms: number): void {
    const own = this.#own[part]!
    const dueAt = performance.now() + ms
    if (own.dueAt <= dueAt) return
    clearTimeout(own.timer)
    own.dueAt = dueAt
    own.timer = setTimeout(() => {
      own.dueAt = Infinity
      this.#options.board.put(`presence/${part}`, this.#textOf(own))
    }, ms).unref()
  }

  /** Drops the sessions' activity first if they do not fit, then the last sessions. */
  #textOf({ sessions, seen }: Own): string {
    const lives = [...sessions.values()].flatMap(({ member, session }) => {
      const live = this.#options.presence.localSession(member, session)
      return live ? [{ member, live }] : []
    })
    const whole = JSON.stringify({ sessions: lives.map(each => put(each)), seen: [...seen.values()] })
    if (Buffer.byteLength(whole) <= maxValueBytes) return whole
    const short = lives.map(({ member, live }) =>
      JSON.stringify(put({ member, live: { ...live, activity: undefined } })),
    )
    let bytes = 100
    const end = short.findIndex(text => {
      bytes += Buffer.byteLength(text) + 1
      return bytes > maxValueBytes
    })
    const fitting = end < 0 ? short : short.slice(0, end)
    return `{"sessions":[${fitting.join(',')}],"seen":[]}`
  }

  #received(hub: string, topic: string, value: string | undefined): void {
    if (topic === endedTopic && value !== undefined) this.#receivedEnded(value)
    if (!/^presence\/\d+$/.test(topic)) return
    const source = `${hub} ${topic}`
    clearTimeout(this.#leaving.get(source))
    this.#leaving.delete(source)
    if (value !== undefined) {
      this.#receivedPart(source, value)
      return
    }
    const seenAt = this.#now()
    const remove = () => {
      this.#leaving.delete(source)
      this.#options.presence.setRemote(source, [], seenAt)
    }
    this.#leaving.set(source, setTimeout(remove, goneForMs).unref())
  }

  #receivedPart(source: string, value: string): void {
    const { presence, projects } = this.#options
    const part = parsed(Part, value)
    if (!part) return
    const now = this.#now()
    for (const each of part.seen.slice(0, 2 * maxSeen)) {
      const { data } = Seen.safeParse(each)
      if (!data) continue
      // A hub whose clock is ahead must not set times in the future.
      const at = Math.min(data.at, now)
      if (data.project === undefined) presence.seenElsewhere(data.member, at)
      else projects.seenElsewhere(data.member, data.project, at)
    }
    const sessions = part.sessions.flatMap(each => {
      const { data } = Put.safeParse(each)
      return data ? [remoteOf(data, now)] : []
    })
    presence.setRemote(source, sessions)
  }

  #receivedEnded(value: string): void {
    for (const { id, member, session } of parsed(Ended, value) ?? []) {
      if (this.#known.has(id)) continue
      this.#known.add(id)
      if (this.#known.size > 20_000) this.#known.delete(this.#known.values().next().value!)
      this.#options.presence.endHere(member, session)
    }
  }
}

function put({ member, live }: { member: number; live: Live }): z.input<typeof Put> {
  const { session, client, since, project, activity } = live
  return { member, session, client, since, project, activity }
}

/** Limits times to `now`: another hub's clock may be ahead. */
function remoteOf({ since, project, activity, ...rest }: z.output<typeof Put>, now: number): RemoteSession {
  const shown = activity && { ...activity }
  for (const key of ['busySince', 'idleSince', 'statusSetAt'] as const)
    if (shown?.[key] !== undefined) shown[key] = Math.min(shown[key], now)
  if (shown?.prompt) shown.prompt = { ...shown.prompt, since: Math.min(shown.prompt.since, now) }
  return {
    ...rest,
    since: Math.min(since, now),
    ...(project !== undefined && { project }),
    activity: shown as SessionActivity | undefined,
  }
}

function partOf(session: string): number {
  let sum = 0
  for (let index = 0; index < session.length; index++) sum = (sum * 31 + session.charCodeAt(index)) >>> 0
  return sum % parts
}

/** Returns undefined for malformed JSON. */
function parsed<T extends z.ZodType>(schema: T, value: string): z.output<T> | undefined {
  try {
    return schema.safeParse(JSON.parse(value)).data
  } catch {
    return undefined
  }
}
