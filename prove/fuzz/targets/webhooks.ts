import { createHmac } from 'node:crypto'
import { WebhookAnswer } from '../../../src/protocol/webhooks.ts'
import { type Answer, bearer, HubWorld } from '../hub-world.ts'
import { Broken, filledIn, holdsNoSecret, jsonOf, objectOf, type Target } from '../target.ts'

const sources = ['github', 'gitlab', 'alertmanager', 'generic', 'signed'] as const
type Name = (typeof sources)[number]

const repository = { full_name: 'acme/web', html_url: 'https://github.com/acme/web' }
const sender = { login: 'octocat' }
const github = (event: string, payload: object) => ({
  to: 'github',
  headers: { 'x-github-event': event, 'x-github-delivery': 'd1' },
  payload: { repository, sender, ...payload },
})
const gitlab = (kind: string, payload: object) => ({
  to: 'gitlab',
  headers: { 'x-gitlab-event': kind },
  payload: {
    project: { path_with_namespace: 'acme/web', web_url: 'https://gitlab.example/acme/web' },
    user: { username: 'mona' },
    ...payload,
  },
})

/** Authenticated calls of webhooks. */
export const webhooks: Target = {
  name: 'webhooks',
  what: 'deliveries to webhooks, signed as their sources sign',
  json: true,
  dictionary: [
    ...[
      ...sources,
      'to',
      'headers',
      'payload',
      'raw',
      'unsigned',
      'action',
      'completed',
      'opened',
      'closed',
      'failure',
      'success',
      'firing',
      'resolved',
    ],
    ...[
      'push',
      'pull_request',
      'pull_request_review',
      'issues',
      'discussion',
      'issue_comment',
      'release',
      'create',
      'delete',
      'workflow_run',
      'workflow_job',
      'check_run',
      'check_suite',
      'status',
      'deployment_status',
      'ping',
    ],
    ...[
      'Push Hook',
      'Tag Push Hook',
      'Merge Request Hook',
      'Issue Hook',
      'Note Hook',
      'Pipeline Hook',
      'Job Hook',
      'Release Hook',
      'Deployment Hook',
    ],
    ...[
      'object_kind',
      'object_attributes',
      'pipeline',
      'build',
      'merge_request',
      'note',
      'build_status',
      'text',
      'message',
      'event',
      'url',
      'status',
      'severity',
      'javascript:alert(1)',
      'https://x.example/',
    ],
    ...[
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json; charset=utf-16',
      'content-type',
      'content-encoding',
      'idempotency-key',
      'webhook-id',
    ],
  ],
  seeds: [
    github('push', {
      ref: 'refs/heads/main',
      commits: [{ message: 'Fix' }],
      head_commit: { message: 'Fix\n\nmore', url: 'https://github.com/acme/web/commit/1' },
      pusher: { name: 'octocat' },
    }),
    github('pull_request', {
      action: 'closed',
      pull_request: { number: 2, title: 'Update', merged: true, html_url: 'https://github.com/acme/web/pull/2' },
    }),
    github('issue_comment', {
      action: 'created',
      issue: { number: 1, title: 'teh' },
      comment: { body: 'You are right.\nI fix it.' },
    }),
    github('workflow_run', {
      action: 'completed',
      workflow_run: { name: 'CI', head_branch: 'main', conclusion: 'failure' },
    }),
    github('status', { state: 'failure', context: 'ci', branches: [{ name: 'main' }] }),
    github('deployment_status', { deployment_status: { state: 'success', environment: 'prod' } }),
    gitlab('Push Hook', {
      object_kind: 'push',
      ref: 'refs/heads/main',
      total_commits_count: 1,
      commits: [{ title: 'Fix' }],
    }),
    gitlab('Merge Request Hook', {
      object_kind: 'merge_request',
      object_attributes: { iid: 1, title: 'MR', action: 'open', url: 'https://gitlab.example/1' },
    }),
    gitlab('Pipeline Hook', { object_kind: 'pipeline', object_attributes: { id: 31, status: 'failed', ref: 'main' } }),
    gitlab('Note Hook', {
      object_kind: 'note',
      object_attributes: { note: 'hm' },
      merge_request: { iid: 1, title: 'MR' },
    }),
    {
      to: 'alertmanager',
      payload: {
        version: '4',
        status: 'firing',
        groupLabels: { alertname: 'HighLatency' },
        commonLabels: { severity: 'critical' },
        commonAnnotations: { summary: 'slow' },
        externalURL: 'http://am.example:9093',
        alerts: [{ status: 'firing', labels: { instance: 'web-1' }, annotations: {} }],
      },
    },
    {
      to: 'generic',
      payload: { text: 'deployed', url: 'https://x.example/', status: 'failed', actor: { name: 'ana' } },
    },
    { to: 'generic', headers: { 'content-type': 'text/plain' }, raw: 'plain words' },
    { to: 'signed', payload: 'only a string' },
  ].map(each => JSON.stringify(each)),
  async open() {
    const world = await HubWorld.start()
    const made = new Map<Name, { path: string; signingSecret?: string }>()
    for (const name of sources) {
      const source = name === 'signed' ? 'generic' : name
      const more =
        name === 'signed'
          ? { signed: true, template: '{{event}}: {{line}} {{link}} {{actor}} {{payload.text}} {{payload.a.b}}' }
          : {}
      const answer = await world.admin('POST', '/v1/admin/webhooks', {
        name: `hook-${name}`,
        source,
        to: ['seanclaude', 'sean'],
        failedAs: 'request',
        ...more,
      })
      const secrets = JSON.parse(answer.text) as { path: string; signingSecret?: string }
      made.set(name, secrets)
      world.secrets.add(secrets.path.split('/').at(-1)!)
      if (secrets.signingSecret) world.secrets.add(secrets.signingSecret)
    }
    return {
      run: async input => judge(world, await call(world, made, objectOf(filledIn(jsonOf(input))))),
      async check() {
        await world.check()
        // Messages must be safe to show to readers.
        const inbox = await world.ask({ path: '/v1/inbox', headers: bearer(world.tokens.machine) })
        if (inbox.status !== 200) throw new Broken(`the inbox answers ${inbox.status}: ${inbox.text.slice(0, 300)}`)
        const ids = (JSON.parse(inbox.text) as { messages: { id: string }[] }).messages.map(({ id }) => id)
        for (const role of ['machine', 'human'] as const)
          if (ids.length > 0) await world.json('POST', '/v1/inbox/ack', { ids }, bearer(world.tokens[role]))
      },
      close: () => world.close(),
    }
  },
}

function call(
  world: HubWorld,
  made: ReadonlyMap<Name, { path: string; signingSecret?: string }>,
  given: Record<string, unknown>,
): Promise<Answer> {
  const name = sources.find(each => each === given.to) ?? 'generic'
  const { path, signingSecret = '' } = made.get(name)!
  const body = Buffer.from(given.raw === undefined ? (JSON.stringify(given.payload) ?? '') : String(given.raw))
  const headers = Object.fromEntries(
    Object.entries(objectOf(given.headers))
      .map(([key, value]) => [key.toLowerCase(), String(value)] as const)
      .filter(([key, value]) => /^[\w-]{1,60}$/.test(key) && /^[\t\x20-\x7e\x80-\xff]{0,2000}$/.test(value))
      .filter(([key]) => !['content-length', 'transfer-encoding', 'connection', 'expect', 'upgrade'].includes(key)),
  )
  const signature = given.unsigned ? {} : signed(name, signingSecret, body)
  return world.ask({
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json', ...headers, ...signature },
    body,
  })
}

function signed(name: Name, secret: string, body: Buffer): Record<string, string> {
  if (name === 'github')
    return { 'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}` }
  if (name === 'alertmanager' || name === 'generic') return {}
  const time = String(Math.floor(Date.now() / 1000))
  const id = `msg-${createHmac('sha256', 'id').update(body).digest('hex').slice(0, 16)}`
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const mac = createHmac('sha256', key)
    .update(Buffer.concat([Buffer.from(`${id}.${time}.`), body]))
    .digest('base64')
  const standard = { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': `v1,${mac}` }
  return name === 'gitlab' ? { ...standard, 'x-gitlab-token': secret } : standard
}

function judge(world: HubWorld, { status, text }: Answer): void {
  holdsNoSecret('the answer to a webhook', text, world.secrets)
  if (status >= 500) throw new Broken(`a webhook answers ${status}: ${text.slice(0, 300)}`)
  if (status < 300 && !WebhookAnswer.safeParse(jsonOf(Buffer.from(text))).success)
    throw new Broken(`a webhook answers what does not fit its schema: ${text.slice(0, 300)}`)
}
