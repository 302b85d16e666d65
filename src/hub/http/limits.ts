import { isDeepStrictEqual } from 'node:util'
import type { FastifyRequest } from 'fastify'
import { tabHeader } from '../../protocol/console-header.ts'
import { hashConsoleSecret } from '../../protocol/console-secret.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { hashJoinCode, normalizeJoinCode } from '../../protocol/join-code.ts'
import { maxBodyBytes } from '../../protocol/messages.ts'
import { bytesInWords } from '../../text/bytes.ts'
import { type Identity, isOfEndedToken } from '../auth/identify.ts'
import type { LimitSettings } from '../config/door.ts'
import type { Hub } from '../hub.ts'
import { isConsoleLink } from '../state/query/console.ts'
import { includesCrowd, resolveNames } from '../state/query/find-member.ts'
import { knownId } from '../state/query/known-members.ts'
import { isInvite } from '../state/query/members.ts'
import type { Handlers } from './handler.ts'
import { clientGroup } from './network.ts'
import { SharedLimits } from './shared-limits.ts'
import { type Rate, TokenBuckets } from './token-buckets.ts'

/** Time after which a client with too many streams should retry, in ms: a session that ended uncleanly is noticed after 15 s. */
const streamRetryMs = 15_000

/** Limits on the requests of each client. Methods throw `rate_limited` above a limit; a limit that is switched off costs nothing. */
export class Limits {
  #settings: LimitSettings | undefined
  #sends: TokenBuckets | undefined
  #pairs: TokenBuckets | undefined
  #broadcasts: TokenBuckets | undefined
  #reads: TokenBuckets | undefined
  #daily: { messages: TokenBuckets; bytes: TokenBuckets; settings: DailySettings } | undefined
  #wrongTokens: TokenBuckets | undefined
  #wrongCodes: TokenBuckets | undefined
  #proofs: TokenBuckets | undefined
  #maxStreams = Number.POSITIVE_INFINITY
  readonly #streams = new Map<string, number>()
  /** Undefined for a standalone hub. */
  readonly #shared: SharedLimits | undefined

  /** With a board, the limits count over all hubs. */
  constructor(settings: LimitSettings, board?: Hub['board']) {
    this.#shared = board && new SharedLimits(board)
    this.configure(settings)
  }

  /** Applies other settings from now on. Resets the counts, unless nothing has changed. */
  configure(settings: LimitSettings): void {
    if (this.#settings !== undefined && isDeepStrictEqual(settings, this.#settings)) return
    this.#settings = settings
    this.#sends = buckets(settings?.sends)
    this.#pairs = buckets(settings?.pair)
    this.#broadcasts = buckets(settings?.broadcasts)
    this.#reads = buckets(settings?.reads)
    const daily = settings?.daily
    this.#daily = daily
      ? {
          messages: new TokenBuckets(perDay(daily.messages)),
          bytes: new TokenBuckets(perDay(daily.bytes)),
          settings: daily,
        }
      : undefined
    this.#wrongTokens = buckets(settings?.failures)
    this.#wrongCodes = buckets(settings?.failures)
    this.#proofs = buckets(settings?.proofs)
    this.#maxStreams = settings?.streamsPerToken ?? Number.POSITIVE_INFINITY
    const each = (rate: Rate | null | undefined, buckets: TokenBuckets | undefined) =>
      rate && buckets ? { rate, buckets } : undefined
    this.#shared?.share({
      sends: each(settings?.sends, this.#sends),
      pair: each(settings?.pair, this.#pairs),
      broadcasts: each(settings?.broadcasts, this.#broadcasts),
      reads: each(settings?.reads, this.#reads),
      dailyMessages: each(daily && perDay(daily.messages), this.#daily?.messages),
      dailyBytes: each(daily && perDay(daily.bytes), this.#daily?.bytes),
      wrongTokens: each(settings?.failures, this.#wrongTokens),
      wrongCodes: each(settings?.failures, this.#wrongCodes),
      proofs: each(settings?.proofs, this.#proofs),
    })
  }

  /** Counts a request with a valid token. */
  countRequest({ tokenId }: Identity, isSend: boolean): void {
    const waitMs = (isSend ? this.#sends : this.#reads)?.take(tokenId)
    if (waitMs) throw tooMany(`Too many ${isSend ? 'messages' : 'requests'} with this token.`, waitMs)
  }

  /**
   * Returns the error for a request without a valid token: `error`, or `rate_limited` once too many wrong tokens came from its
   * address. A request without any token, or with one that has ended, is not counted as a guess.
   */
  refuseStranger(error: unknown, { clientAddress, headers }: FastifyRequest): unknown {
    if (isOfEndedToken(error)) return error
    const isGuess = headers.authorization !== undefined || headers[tabHeader] !== undefined
    const client = clientGroup(clientAddress)
    const waitMs = isGuess ? this.#wrongTokens?.take(client) : this.#wrongTokens?.waitMs(client)
    if (!waitMs) return error
    return tooMany(
      'Too many requests with a wrong token came from your address.',
      waitMs,
      'Retrying with this token is useless: ask the admin of the hub for claude-net invite NAME.',
    )
  }

  /** Wraps `send` so that each message is counted first. */
  limitSends(send: Handlers['sendMessage']): Handlers['sendMessage'] {
    return call => {
      this.countSend(call.hub, call.identity, [call.body.to].flat(), Buffer.byteLength(call.body.body))
      return send(call)
    }
  }

  /** Counts a message of `bytes` bytes for the day of its sender and for each recipient. */
  countSend(hub: Hub, by: Pick<Identity, 'member' | 'tokenId'>, to: string[], bytes: number): void {
    if (!this.#settings) return
    const countDay = this.#checkDay(by, bytes)
    this.#countRecipients(hub, by, to)
    countDay()
  }

  /** Counts a verified call of a webhook like a send with a token. */
  countEvent(webhook: string): void {
    const waitMs = this.#sends?.take(webhook)
    if (waitMs) throw tooMany('Too many events came to this webhook.', waitMs)
  }

  /** Returns the error for a call of an unknown webhook URL: `error`, or `rate_limited` once too many guesses came from its address. */
  refuseGuess(error: unknown, { clientAddress }: FastifyRequest): unknown {
    const waitMs = this.#wrongTokens?.take(clientGroup(clientAddress))
    return waitMs ? tooMany('Too many calls of wrong URLs came from your address.', waitMs) : error
  }

  /** Returns the members that have used at least `least` (from 0 to 1) of their daily bound, by id, the most used first. */
  nearDailyBound(least: number): { member: number; used: number }[] {
    const used = new Map<number, number>()
    for (const bucket of [this.#daily?.messages, this.#daily?.bytes]) {
      for (const { key, used: part } of bucket?.mostUsed(least) ?? []) {
        used.set(Number(key), Math.max(part, used.get(Number(key)) ?? 0))
      }
    }
    return [...used].map(([member, part]) => ({ member, used: part })).sort((a, b) => b.used - a.used)
  }

  limitLogins(login: Handlers['consoleLogin']): Handlers['consoleLogin'] {
    return call => {
      const isKnown = () => isConsoleLink(call.hub.state.db, hashConsoleSecret(call.body.secret))
      this.#countGuess(call.request, isKnown, 'links into the console')
      return login(call)
    }
  }

  limitJoins(join: Handlers['join']): Handlers['join'] {
    return call => {
      this.#countCode(call.hub, call.request, call.body.code)
      return join(call)
    }
  }

  limitJoinScripts(joinScript: Handlers['joinScript']): Handlers['joinScript'] {
    return call => {
      this.#countCode(call.hub, call.request, call.params.code)
      return joinScript(call)
    }
  }

  limitProofs(proveHub: Handlers['proveHub']): Handlers['proveHub'] {
    return call => {
      const waitMs = this.#proofs?.take(clientGroup(call.request.clientAddress))
      if (waitMs) throw tooMany('Too many requests for a proof came from your address.', waitMs)
      return proveHub(call)
    }
  }

  /** Counts an open stream. Returns a function to call once when it has closed. */
  openStream({ tokenId }: Identity): () => void {
    const open = this.#streams.get(tokenId) ?? 0
    if (open >= this.#maxStreams) {
      throw tooMany(`This token has ${open} streams open, the maximum.`, streamRetryMs, 'Close one first.')
    }
    this.#streams.set(tokenId, open + 1)
    return () => {
      const left = this.#streams.get(tokenId)! - 1
      if (left === 0) this.#streams.delete(tokenId)
      else this.#streams.set(tokenId, left)
    }
  }

  /** Throws if the message would exceed the sender's daily bound; returns a function that counts it. */
  #checkDay({ member }: Pick<Identity, 'member'>, bytes: number): () => void {
    if (!this.#daily) return () => {}
    const { messages, bytes: texts, settings } = this.#daily
    const key = String(member)
    // Capped: a text that is too large for a message is refused elsewhere, as too large.
    const size = Math.min(Math.max(bytes, 1), maxBodyBytes)
    const waitMs = Math.max(messages.waitMs(key), texts.waitMs(key, size))
    if (waitMs > 0) {
      const bound =
        messages.waitMs(key) > 0 ? `${settings.messages} messages` : `${bytesInWords(settings.bytes)} of texts`
      throw tooMany(`You have sent ${bound}, the most that one member may send in a day.`, waitMs)
    }
    return () => {
      messages.take(key)
      texts.take(key, size)
    }
  }

  /** Counts a message to a group or `all` once; otherwise counts it for each named member, for all of them or for none. */
  #countRecipients({ state }: Hub, { member, tokenId }: Pick<Identity, 'member' | 'tokenId'>, to: string[]): void {
    const known = to.length === 1 ? knownId(state.db, to[0]!) : undefined
    if (known === undefined && includesCrowd(state.db, to)) {
      const waitMs = this.#broadcasts?.take(tokenId)
      if (waitMs) throw tooMany("Too many messages to 'all' and groups with this token.", waitMs)
      return
    }
    if (!this.#pairs) return
    const members = known === undefined ? resolveNames(state.db, member, to).members : [{ id: known, name: to[0]! }]
    for (const { id, name } of members) {
      const waitMs = this.#pairs.waitMs(`${member} ${id}`)
      if (waitMs) throw tooMany(`Too many messages from you to ${name}.`, waitMs)
    }
    for (const { id } of members) this.#pairs.take(`${member} ${id}`)
  }

  /**
   * Counts a code that was never issued as a guess. An issued code always passes, whatever came from its address before: a code has
   * 80 random bits, so the limit protects the hub's time, not the code. Runs before anything is awaited, so that concurrent requests
   * are counted in full.
   */
  #countCode({ state }: Hub, request: FastifyRequest, code: string): void {
    this.#countGuess(request, () => isInvite(state.db, hashJoinCode(normalizeJoinCode(code))), 'join codes')
  }

  #countGuess({ clientAddress }: FastifyRequest, isKnown: () => boolean, what: string): void {
    if (!this.#wrongCodes || isKnown()) return
    const waitMs = this.#wrongCodes.take(clientGroup(clientAddress))
    if (waitMs) throw tooMany(`Too many wrong ${what} came from your address.`, waitMs)
  }
}

type DailySettings = NonNullable<NonNullable<LimitSettings>['daily']>

/** Returns the rate of a bucket that holds `amount` and refills in a day. */
function perDay(amount: number): Rate {
  return { perMinute: amount / 1440, burst: amount }
}

function buckets(rate: Rate | null | undefined): TokenBuckets | undefined {
  return rate ? new TokenBuckets(rate) : undefined
}

/** Returns a `rate_limited` error; its hint begins with the time to wait. */
export function tooMany(message: string, waitMs: number, hint?: string): ClaudeNetError {
  const again = `Try again in ${Math.ceil(waitMs / 1000)} s.`
  return new ClaudeNetError('rate_limited', message, hint ? `${again} ${hint}` : again, waitMs)
}
