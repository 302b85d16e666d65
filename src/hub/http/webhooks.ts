import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Webhook, WebhookSecrets, WebhookSource } from '../../protocol/webhooks.ts'
import { webhookOverlapS } from '../../protocol/webhooks.ts'
import type { Hub } from '../hub.ts'
import { allWebhooks, type WebhookRow, webhookByName } from '../state/query/webhooks.ts'
import { refused, storedReasonInWords } from '../state/refusal-words.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Handlers } from './handler.ts'
import type { WebhookCalls } from './webhook-calls.ts'
import { hashOfSecret, newSecrets, type Secrets } from './webhook-secrets.ts'

type Routes =
  | 'receiveWebhook'
  | 'addWebhook'
  | 'listWebhooks'
  | 'changeWebhook'
  | 'rotateWebhook'
  | 'testWebhook'
  | 'deleteWebhook'

/** Handlers of the routes that receive calls of webhooks, and of those with which the admin manages webhooks. */
export function webhookRoutes(calls: WebhookCalls, urlOfHub: () => string | undefined): Pick<Handlers, Routes> {
  const shown = (name: string, source: WebhookSource, { secret, signingSecret }: Secrets): WebhookSecrets => {
    const path = `/webhooks/${name}/${secret}`
    const base = urlOfHub()?.replace(/\/$/, '')
    return { name, source, path, ...(base && { url: base + path }), ...(signingSecret && { signingSecret }) }
  }
  return {
    receiveWebhook: calls.receive,
    addWebhook: async ({ hub, body, reply }) => {
      const { name, source, to, template, failedAs, signed } = body
      if (signed && source !== 'generic') throw signedByItself(source)
      await checkTemplate(template)
      const secrets = newSecrets(source !== 'alertmanager' && (source !== 'generic' || signed === true))
      await hub.submit({
        type: 'webhook.add',
        ...{ name, source, to, template, failedAs },
        ...stored(secrets),
      })
      reply.code(201)
      return shown(name, source, secrets)
    },
    listWebhooks: ({ hub }) => ({
      webhooks: allWebhooks(hub.state.db, hub.steadyNow).map(row => ({ ...toWebhook(row), ...calls.of(row.member) })),
    }),
    changeWebhook: async ({ hub, params, body }) => {
      await checkTemplate(body.template)
      return hub.submit({ type: 'webhook.change', name: params.name, ...body })
    },
    rotateWebhook: async ({ hub, params, query, reply }) => {
      const { name, source, signingSecrets } = webhookNamed(hub, params.name)
      const secrets = newSecrets(signingSecrets.length > 0)
      const overlapS = query.now ? 0 : webhookOverlapS
      const { goesOnUntil } = await hub.submit({ type: 'webhook.rotate', name, ...stored(secrets), overlapS })
      reply.code(201)
      return {
        ...shown(name, source as WebhookSource, secrets),
        goesOnUntil: goesOnUntil === null ? null : timestamp(goesOnUntil),
      }
    },
    testWebhook: async ({ hub, params }) => {
      const { sent, body } = await calls.test(webhookNamed(hub, params.name))
      const recipients = sent.recipients.map(({ name, status, reason: stored }) => {
        const reason = storedReasonInWords(name, stored)
        return { name, status, ...(reason && { reason }) }
      })
      return { id: sent.id, body, recipients }
    },
    deleteWebhook: ({ hub, params }) => hub.submit({ type: 'webhook.remove', name: params.name }),
  }
}

/** Returns the webhook called `name`. Throws `not_found`. */
function webhookNamed({ state, steadyNow }: Hub, name: string): WebhookRow {
  const found = webhookByName(state.db, name, steadyNow)
  if (found) return found
  throw refused(state.db, { code: 'not_found', why: { code: 'no_webhook', name } })
}

function stored({ secret, signingSecret }: Secrets): { secretHash: string; signingSecret?: string } {
  return { secretHash: hashOfSecret(secret).toString('base64'), ...(signingSecret && { signingSecret }) }
}

async function checkTemplate(template: string | null | undefined): Promise<void> {
  if (template === undefined || template === null) return
  const { checkTemplate: check } = await import('../webhooks/incoming/template.ts')
  check(template)
}

function toWebhook({
  signingSecrets,
  boundTo,
  createdAt,
  rotatedAt,
  isRevoked,
  ...row
}: WebhookRow): Omit<Webhook, 'stored' | 'refused' | 'last'> {
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
  }
}

function signedByItself(source: WebhookSource): ClaudeNetError {
  return new ClaudeNetError(
    'invalid',
    source === 'alertmanager' ? 'Alertmanager cannot sign its calls.' : `Calls of ${source} are always signed.`,
    "Leave out 'signed': it is for generic webhooks.",
  )
}
