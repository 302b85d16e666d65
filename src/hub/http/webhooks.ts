import { createHash, randomBytes } from 'node:crypto'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Webhook, WebhookSecrets, WebhookSource } from '../../protocol/webhooks.ts'
import { webhookOverlapS } from '../../protocol/webhooks.ts'
import type { Hub } from '../hub.ts'
import { allWebhooks, type WebhookRow, webhookByName } from '../state/query/webhooks.ts'
import { refused } from '../state/refusal-words.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Handlers } from './handler.ts'

type Routes = 'addWebhook' | 'listWebhooks' | 'changeWebhook' | 'rotateWebhook' | 'deleteWebhook'

/** What the admin does with webhooks. */
export function webhookRoutes(): Pick<Handlers, Routes> {
  return {
    addWebhook: async ({ hub, body, reply }) => {
      const { name, source, to, template, failedAs, signed } = body
      if (signed && source !== 'generic') throw signedByItself(source)
      const secrets = newSecrets(source !== 'alertmanager' && (source !== 'generic' || signed === true))
      await hub.submit({
        type: 'webhook.add',
        ...{ name, source, to, template, failedAs },
        ...stored(secrets),
      })
      reply.code(201)
      return shown(name, source, secrets)
    },
    listWebhooks: ({ hub }) => ({ webhooks: allWebhooks(hub.state.db, hub.steadyNow).map(toWebhook) }),
    changeWebhook: ({ hub, params, body }) => hub.submit({ type: 'webhook.change', name: params.name, ...body }),
    rotateWebhook: async ({ hub, params, query, reply }) => {
      const { name, source, signingSecrets, isRevoked } = webhookNamed(hub, params.name)
      const isSigned = isRevoked ? source === 'github' || source === 'gitlab' : signingSecrets.length > 0
      const secrets = newSecrets(isSigned)
      const overlapS = query.now ? 0 : webhookOverlapS
      const { goesOnUntil } = await hub.submit({ type: 'webhook.rotate', name, ...stored(secrets), overlapS })
      reply.code(201)
      return {
        ...shown(name, source as WebhookSource, secrets),
        goesOnUntil: goesOnUntil === null ? null : timestamp(goesOnUntil),
      }
    },
    deleteWebhook: ({ hub, params }) => hub.submit({ type: 'webhook.remove', name: params.name }),
  }
}

/** The webhook of this name. Throws `not_found`. */
function webhookNamed({ state, steadyNow }: Hub, name: string): WebhookRow {
  const found = webhookByName(state.db, name, steadyNow)
  if (found) return found
  throw refused(state.db, { code: 'not_found', why: { code: 'no_webhook', name } })
}

interface Secrets {
  /** 256 random bits, the last part of the path. */
  secret: string
  signingSecret?: string
}

/** `whsec_` and 32 bytes in base64, as Standard Webhooks and GitLab have it. GitHub takes any text. */
function newSecrets(isSigned: boolean): Secrets {
  const secret = randomBytes(32).toString('base64url')
  return isSigned ? { secret, signingSecret: `whsec_${randomBytes(32).toString('base64')}` } : { secret }
}

export function hashOfSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

function stored({ secret, signingSecret }: Secrets): { secretHash: string; signingSecret?: string } {
  return { secretHash: hashOfSecret(secret).toString('base64'), ...(signingSecret && { signingSecret }) }
}

function shown(name: string, source: WebhookSource, { secret, signingSecret }: Secrets): WebhookSecrets {
  return { name, source, path: `/webhooks/${name}/${secret}`, ...(signingSecret && { signingSecret }) }
}

function toWebhook({ signingSecrets, boundTo, createdAt, rotatedAt, isRevoked, ...row }: WebhookRow): Webhook {
  return {
    name: row.name,
    source: row.source as WebhookSource,
    to: row.to,
    template: row.template,
    failedAs: row.failedAs as Webhook['failedAs'],
    signed: signingSecrets.length > 0,
    createdAt: timestamp(createdAt),
    rotatedAt: rotatedAt === null ? null : timestamp(rotatedAt),
    revoked: isRevoked,
    boundTo: boundTo === null ? [] : (JSON.parse(boundTo) as string[]),
    stored: 0,
    refused: 0,
    last: null,
  }
}

function signedByItself(source: WebhookSource): ClaudeNetError {
  return new ClaudeNetError(
    'invalid',
    source === 'alertmanager' ? 'Alertmanager cannot sign what it sends.' : `What ${source} sends is always signed.`,
    "Leave 'signed' out: it is for generic webhooks.",
  )
}
