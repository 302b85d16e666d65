import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type * as z from 'zod'
import { ClaudeNetError } from '../../../protocol/errors.ts'
import { newMessageId } from '../../../protocol/ids.ts'
import { MemberName } from '../../../protocol/names.ts'
import type {
  DeadLetters,
  OutgoingList,
  OutgoingRequest,
  OutgoingTested,
  OutgoingWebhook,
} from '../../../protocol/outgoing.ts'
import type { Hub } from '../../hub.ts'
import type { Commit } from '../../journal/journal.ts'
import type { OutgoingAdmin } from '../../outgoing-admin.ts'
import { nameTaken } from '../../state/query/find-member.ts'
import { happeningOf } from '../../state/query/happenings.ts'
import {
  deadEvents,
  type OutgoingRow,
  outgoingNamed,
  outgoingWebhooks,
  type StoredFilter,
  undelivered,
  waitingEvents,
} from '../../state/query/outgoing.ts'
import { refused } from '../../state/refusal-words.ts'
import { timestamp } from '../../state/timestamp.ts'
import { formatFilter, parseFilter } from './filter.ts'
import { defaultTiming, Lane, type LaneParts, type LaneTiming, secretsOf } from './lane.ts'
import { lineOf } from './payload.ts'
import { failureInWords, post } from './post.ts'
import { refusedSends, type Wanted } from './refused-sends.ts'
import { newSecret } from './sign.ts'
import { checkTemplate, fill } from './template.ts'

/** Time that a post in flight gets to finish when the hub stops, in ms. */
const farewellMs = 1500

/** Most dead letters listed. */
const listed = 100

export interface OutgoingOptions extends Pick<LaneParts, 'hub' | 'log'>, Partial<Omit<LaneParts, 'hub' | 'log'>> {
  hub: Hub
  log: Logger
}

/** All webhooks that post events, with a lane for each so that a slow receiver delays no other, and the admin's commands for them. */
export class OutgoingWebhooks implements OutgoingAdmin {
  readonly #parts: LaneParts
  readonly #lanes = new Map<number, { lane: Lane; stop: AbortController; running: Promise<void> }>()
  readonly #stop = new AbortController()
  /** Aborts posts in flight. */
  readonly #cut = new AbortController()
  /** Webhooks that post refused messages. */
  #wanted: Wanted[] = []

  constructor({ hub, log, ...parts }: OutgoingOptions) {
    const timing: LaneTiming = parts.timing ?? defaultTiming
    this.#parts = {
      hub,
      log,
      timing,
      send: parts.send ?? ((each, signal) => post(each, { timeoutMs: timing.timeoutMs, signal })),
      steady: parts.steady ?? (() => hub.steadyNow),
      pause: parts.pause ?? pause,
    }
    hub.onOutgoingChanged(() => this.#refresh())
    hub.duty.onChange(() => this.#refresh())
    this.#refresh()
  }

  /** Called when a batch is on disk. */
  committed(commit: Commit): void {
    for (const { lane } of this.#lanes.values()) lane.wake()
    // Of several hubs, the one that received the message records its refusal.
    if (this.#wanted.length === 0 || !commit.isOwn) return
    for (const command of refusedSends(this.#parts.hub.state.db, commit, this.#wanted))
      void this.#parts.hub.submit(command).catch(() => {})
  }

  async close(): Promise<void> {
    this.#stop.abort()
    const timer = setTimeout(() => this.#cut.abort(), farewellMs)
    await Promise.all([...this.#lanes.values()].map(({ running }) => running))
    clearTimeout(timer)
    this.#cut.abort()
  }

  async add({ name: chosen, url: typed, on, body: template, text }: OutgoingRequest) {
    const url = checkUrl(typed)
    const filters = on.map(parseFilter)
    const withText = text === true
    if (template !== undefined) checkTemplate(template, { withText })
    const secret = newSecret()
    const name = chosen ?? this.#freeName(url)
    await this.#parts.hub.submit({
      ...{ type: 'outgoing.add', name, url: url.href, on: filters, secret },
      ...(template !== undefined && { template }),
      ...(withText && { withText }),
    })
    return { name, signingSecret: secret }
  }

  list(): z.output<typeof OutgoingList> {
    return { webhooks: outgoingWebhooks(this.#db).map(row => this.#shown(row)) }
  }

  remove(name: string) {
    return this.#parts.hub.submit({ type: 'outgoing.remove', name })
  }

  async rotate(name: string) {
    const signingSecret = newSecret()
    await this.#parts.hub.submit({ type: 'outgoing.rotate', name, secret: signingSecret })
    return { name, signingSecret }
  }

  async test(name: string): Promise<OutgoingTested> {
    const row = this.#named(name)
    const began = performance.now()
    const id = `test_${newMessageId()}`
    const secrets = secretsOf(row, this.#parts.steady())
    const result = await this.#parts.send({ url: row.url, id, body: testBody(row, id), secrets }, this.#cut.signal)
    const ms = Math.round(performance.now() - began)
    if (result.ok && row.goneAt !== null) await this.#parts.hub.submit({ type: 'outgoing.resume', webhook: row.id })
    if (result.ok) this.#lanes.get(row.id)?.lane.nudge()
    const why = result.ok ? null : failureInWords(result.why)
    return { name, delivered: result.ok, status: result.status ?? null, why, ms }
  }

  dead(name: string): z.output<typeof DeadLetters> {
    const row = this.#named(name)
    const dead = deadEvents(this.#db, row.id, listed).map(event => {
      const happening = happeningOf(this.#db, event)
      const { id, kind, at, attempts, why, writtenAt } = event
      return {
        ...{ id, event: kind, at: timestamp(at), attempts, deadAt: timestamp(writtenAt) },
        line: happening ? lineOf(this.#db, happening) : null,
        why: failureInWords(why),
      }
    })
    return { dead, more: undelivered(this.#db, row.id).dead - dead.length }
  }

  retry(name: string, event?: string) {
    return this.#parts.hub.submit({ type: 'outgoing.retry', name, ...(event !== undefined && { event }) })
  }

  drop(name: string) {
    return this.#parts.hub.submit({ type: 'outgoing.drop', name })
  }

  get #db() {
    return this.#parts.hub.state.db
  }

  #named(name: string): OutgoingRow {
    const row = outgoingNamed(this.#db, name)
    if (row) return row
    throw refused(this.#db, { code: 'not_found', why: { code: 'no_outgoing', name } })
  }

  /** Runs a lane for each existing webhook; none while another hub of this history posts. */
  #refresh(): void {
    if (this.#stop.signal.aborted) return
    const rows = outgoingWebhooks(this.#db)
    const ids = new Set(this.#parts.hub.duty.isMine ? rows.map(({ id }) => id) : [])
    for (const [id, { stop }] of this.#lanes) {
      if (ids.has(id)) continue
      stop.abort()
      this.#lanes.delete(id)
    }
    for (const id of ids) {
      const known = this.#lanes.get(id)
      if (known) known.lane.wake()
      else this.#start(id)
    }
    this.#wanted = rows.flatMap(({ id, filters, goneAt }) => {
      const wanted = (JSON.parse(filters) as StoredFilter[]).filter(({ event }) => event === 'refused')
      return goneAt === null && wanted.length > 0 ? [{ webhook: id, filters: wanted }] : []
    })
  }

  #start(id: number): void {
    const stop = new AbortController()
    const send: LaneParts['send'] = async (each, signal) => {
      if (!this.#parts.hub.duty.isMine) {
        // Another hub may be posting before this one is notified: record nothing.
        stop.abort()
        return { ok: false, why: 'ABORT_ERR' }
      }
      // A stopping hub lets a post finish; a removed webhook does not.
      const ends = AbortSignal.any([this.#cut.signal, stop.signal])
      return this.#parts.send(each, this.#stop.signal.aborted ? signal : ends)
    }
    const lane = new Lane(id, { ...this.#parts, send })
    this.#lanes.set(id, { lane, stop, running: lane.run(AbortSignal.any([this.#stop.signal, stop.signal])) })
  }

  #shown(row: OutgoingRow): OutgoingWebhook {
    const { protocol, host } = new URL(row.url)
    return {
      name: row.name,
      to: `${protocol}//${host}`,
      on: (JSON.parse(row.filters) as StoredFilter[]).map(filter => formatFilter(this.#db, filter)),
      body: row.template,
      text: row.withText === 1,
      createdAt: timestamp(row.createdAt),
      state: row.goneAt === null ? 'on' : 'gone',
      delivered: row.delivered,
      lastDeliveredAt: row.deliveredAt === null ? null : timestamp(row.deliveredAt),
      ...undelivered(this.#db, row.id),
      trouble: row.goneAt === null ? this.#troubleOf(row) : failureInWords('gone'),
    }
  }

  /** Returns the receiver's trouble; from the stored failure of the next retry while another hub posts. */
  #troubleOf({ id }: OutgoingRow): string | null {
    const lane = this.#lanes.get(id)?.lane
    if (lane) return lane.trouble ?? null
    const [next] = waitingEvents(this.#db, id).filter(({ attempts }) => attempts > 0)
    return next ? failureInWords(next.why) : null
  }

  /** Names a webhook after its host, with a number if that is taken. */
  #freeName({ hostname }: URL): string {
    const label = hostname
      .replaceAll(/[^a-z0-9]+/g, '-')
      .slice(0, 50)
      .replaceAll(/^-+|-+$/g, '')
    const base = MemberName.safeParse(label).success ? label : 'webhook'
    for (let n = 1; ; n++) {
      const name = n === 1 ? base : `${base}-${n}`
      if (!nameTaken(this.#db, name)) return name
    }
  }
}

function checkUrl(typed: string): URL {
  const url = URL.parse(typed)
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:'
  if (!url || !isHttp || url.hostname === '')
    throw new ClaudeNetError('invalid', 'This URL cannot be posted to.', 'It starts with https:// or http://.')
  if (url.username !== '' || url.password !== '')
    throw new ClaudeNetError(
      'invalid',
      'The URL has a user name or a password in it, which is not sent.',
      'Receivers verify posts by their signature; a secret may stand in the path or the query.',
    )
  url.hash = ''
  return url
}

function testBody({ template }: OutgoingRow, id: string): string {
  const at = timestamp(Date.now())
  const line = 'This is a test of a webhook of Claude Net.'
  if (template === null) return JSON.stringify({ type: 'test', timestamp: at, data: { line } })
  return fill(template, {
    ...{ event: 'test', id, from: 'hub', to: 'nobody', intent: 'inform', at },
    bytes: '0',
    line,
    text: line,
  })
}

/** Resolves after `ms`, or once `woken` does or `stop` aborts. */
async function pause(ms: number, stop: AbortSignal, woken: Promise<void>): Promise<void> {
  const end = new AbortController()
  const signal = AbortSignal.any([stop, end.signal])
  // A minute at most: timers do not follow the steady time.
  await Promise.race([delay(Math.min(ms, 60_000), undefined, { signal }).catch(() => {}), woken])
  end.abort()
}
