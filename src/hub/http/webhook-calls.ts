import type { FastifyRequest } from 'fastify'
import { AddressRanges } from '../../protocol/address-range.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { messageIdFor, newMessageId } from '../../protocol/ids.ts'
import type { Webhook, WebhookSource } from '../../protocol/webhooks.ts'
import type { Hub } from '../hub.ts'
import type { CommandOf, ResultOf } from '../state/commands.ts'
import { type WebhookRow, webhookBySecret } from '../state/query/webhooks.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Connections } from './connections.ts'
import type { Handlers } from './handler.ts'
import type { Limits } from './limits.ts'
import { bodyOf } from './webhook-body.ts'
import { hashOfSecret } from './webhook-secrets.ts'

/** Time after which to retry a call that fails until an admin fixes something, in ms. */
const fixMs = 60_000

type WebhookEvent = import('../webhooks/incoming/event.ts').WebhookEvent
type Send = CommandOf<'message.send'>
type CallStats = Pick<Webhook, 'stored' | 'refused' | 'last'>

interface Parts {
  hub: Hub
  limits: Limits
  connections: Connections
}

/** The calls of webhooks: admits and verifies them, turns them into messages, and counts their results since the start of the hub. */
export class WebhookCalls {
  readonly #parts: Parts
  readonly #called = new WeakMap<FastifyRequest, WebhookRow>()
  readonly #stats = new Map<number, CallStats>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Returns the counts and the last result of the calls of one webhook. */
  of(member: number): CallStats {
    return this.#stats.get(member) ?? { stored: 0, refused: 0, last: null }
  }

  /**
   * Looks up the webhook whose URL is called, before the body is read. Throws `unauthorized` if there is none, `forbidden` if the webhook is
   * bound to other addresses.
   */
  admit(request: FastifyRequest): void {
    const { hub, limits, connections } = this.#parts
    const { secret } = request.params as { secret: string }
    const webhook = webhookBySecret(hub.state.db, hashOfSecret(secret), hub.steadyNow)
    if (!webhook) throw limits.refuseGuess(unknownUrl(), request)
    const { boundTo, name, member } = webhook
    if (boundTo !== null && !new AddressRanges(JSON.parse(boundTo) as string[]).has(request.clientAddress)) {
      this.#note(member, 'a call', 'forbidden', `It came from ${request.clientAddress || 'a socket of this host'}.`)
      throw notFromHere(name)
    }
    connections.proved(request.raw.socket, keyOf(member))
    this.#called.set(request, webhook)
  }

  /** `POST /webhooks/:name/:secret`: 201 when the event was stored, 200 when it had been stored before or makes no message. */
  readonly receive: Handlers['receiveWebhook'] = async ({ body, request, reply }) => {
    const webhook = this.#called.get(request)!
    const { member } = webhook
    let event = 'a call'
    try {
      const { sources } = await import('../webhooks/incoming/sources.ts')
      const source = sources[webhook.source as WebhookSource]
      const call = { headers: request.headers, raw: Buffer.isBuffer(body) ? body : Buffer.alloc(0) }
      const proof = source.prove(call, webhook.signingSecrets, Date.now())
      if (!proof.ok) throw unproven(webhook.name, proof)
      this.#parts.limits.countEvent(keyOf(member))
      const payload = bodyOf(source, request, call.raw)
      const read = source.read(payload, call)
      event = read.event
      if ('ignored' in read) {
        this.#note(member, event, 'ignored', read.ignored)
        return { stored: false, ignored: read.ignored }
      }
      const { deliveryId, seal } = proof
      const known = deliveryId ?? seal?.toString('hex')
      const sent = await this.#send(webhook, {
        id: known === undefined ? newMessageId() : messageIdFor(`webhook ${member} ${known}`),
        ...(await messageFrom(webhook, read, payload)),
        received: seal ? { seal: seal.toString('base64') } : {},
      })
      this.#note(member, event, sent.repeated ? 'repeated' : 'stored')
      reply.code(sent.repeated ? 200 : 201)
      return { stored: true, id: sent.id, ...(sent.repeated && { repeated: true as const }) }
    } catch (error) {
      if (!(error instanceof ClaudeNetError)) throw error
      this.#note(member, event, error.code, whyOf(error))
      throw error
    }
  }

  /** Sends an example event of its source to the recipients of a webhook. Throws their refusals unchanged. */
  async test(webhook: WebhookRow): Promise<{ body: string; sent: ResultOf<Send> }> {
    const { sources } = await import('../webhooks/incoming/sources.ts')
    const { example } = sources[webhook.source as WebhookSource]
    const { body } = await messageFrom(webhook, example, {})
    const test = `A test of the webhook ${webhook.name}. An event of ${webhook.source} reads:\n${body}`
    const sent = await this.#parts.hub.submit({
      ...{ type: 'message.send', id: newMessageId(), by: webhook.member, to: webhook.to },
      ...{ body: test, intent: 'inform' },
    })
    return { body: test, sent }
  }

  async #send(
    webhook: WebhookRow,
    message: Pick<Send, 'id' | 'body' | 'intent' | 'received'>,
  ): Promise<ResultOf<Send>> {
    const { hub, limits } = this.#parts
    const { member, name, to } = webhook
    limits.countSend(hub, { member, tokenId: keyOf(member) }, to, Buffer.byteLength(message.body))
    try {
      return await hub.submit({ type: 'message.send', by: member, to, ...message })
    } catch (error) {
      // An outside caller is not shown why a recipient refuses messages.
      throw error instanceof ClaudeNetError && !ofHub.has(error.code) ? new NotTaken(name, error) : error
    }
  }

  #note(member: number, event: string, result: string, why?: string): void {
    const { stored, refused } = this.of(member)
    const isGood = ['stored', 'repeated', 'ignored'].includes(result)
    this.#stats.set(member, {
      stored: stored + (result === 'stored' ? 1 : 0),
      refused: refused + (isGood ? 0 : 1),
      last: { at: timestamp(Date.now()), event, result, ...(why !== undefined && { why }) },
    })
  }
}

async function messageFrom(webhook: WebhookRow, read: WebhookEvent, payload: unknown) {
  const { messageOf } = await import('../webhooks/incoming/template.ts')
  return messageOf(read, payload, webhook)
}

/** Codes of temporary failures of the hub itself, which the caller sees unchanged. */
const ofHub: ReadonlySet<string> = new Set(['internal', 'unavailable'])

function whyOf(error: ClaudeNetError): string {
  return 'why' in error ? String(error.why) : error.message
}

/** Returns the key by which limits and connections count the calls of one webhook; it differs from every token id. */
function keyOf(member: number): string {
  return `webhook-${member}`
}

/** Error for a refusal by the recipients. `why` is for the admin; the caller only learns that it should retry. */
class NotTaken extends ClaudeNetError {
  readonly why: string

  constructor(name: string, { code, message, retryAfterMs = fixMs }: ClaudeNetError) {
    super(
      code === 'rate_limited' ? code : 'unavailable',
      `The recipients of ${name} accept no events now, so this one was not stored.`,
      'Retry later. claude-net webhook list shows the admin of the hub why.',
      retryAfterMs,
    )
    this.why = message
  }
}

function unknownUrl(): ClaudeNetError {
  return new ClaudeNetError(
    'unauthorized',
    'This is not, or no longer, the URL of a webhook.',
    'The admin of the hub can make a new one: claude-net webhook rotate NAME',
  )
}

function notFromHere(name: string): ClaudeNetError {
  return new ClaudeNetError(
    'forbidden',
    `The webhook ${name} may not be called from this address.`,
    `The admin of the hub sets the allowed addresses: claude-net bind ${name} --from RANGE`,
  )
}

function unproven(name: string, { why, hint }: { why: string; hint: string }): ClaudeNetError {
  return new ClaudeNetError('unauthorized', `This call of ${name} could not be verified: ${why}.`, hint)
}
