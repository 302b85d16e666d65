import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  alertmanagerPayload,
  githubHeaders,
  githubPayloads,
  gitlabPayloads,
  standardHeaders,
} from '../../../../test/support/webhook-payloads.ts'
import { ClaudeNetError } from '../../../protocol/errors.ts'
import { sources } from './sources.ts'
import { checkTemplate, messageOf } from './template.ts'
import { link } from './words.ts'

const plain = { template: null, failedAs: null }
const call = (headers: Record<string, string> = {}, body = '') => ({ headers, raw: Buffer.from(body) })

/** The line of an event of GitHub with parts of its payload replaced; why there is none for one that becomes no message. */
function github(event: string, payload: unknown): string {
  const read = sources.github.read(payload, call({ 'x-github-event': event }))
  return 'ignored' in read ? `ignored: ${read.ignored}` : `${read.failed ? 'FAILED ' : ''}${read.line}`
}

function gitlab(event: string, payload: unknown): string {
  const read = sources.gitlab.read(payload, call({ 'x-gitlab-event': event }))
  return 'ignored' in read ? `ignored: ${read.ignored}` : `${read.failed ? 'FAILED ' : ''}${read.line}`
}

const { push, pull_request: pull, workflow_run: run, issue_comment: comment } = githubPayloads
const { 'Push Hook': pushed, 'Merge Request Hook': merge, 'Pipeline Hook': pipeline, 'Job Hook': job } = gitlabPayloads
const nothing = '0'.repeat(40)

describe('an event of GitHub', () => {
  test.for<[string, unknown, string]>([
    ['push', push, 'acme/web: a commit pushed to main: "Fix login"'],
    ['push', { ...push, forced: true, commits: [1, 2, 3] }, 'acme/web: 3 commits force-pushed to main: "Fix login"'],
    [
      'push',
      { ...push, commits: [], head_commit: null, created: true, ref: 'refs/heads/a/b' },
      'acme/web: branch a/b created',
    ],
    ['push', { ...push, commits: [], deleted: true, ref: 'refs/tags/v1' }, 'acme/web: tag v1 deleted'],
    ['pull_request', pull, 'acme/web: pull request #2 "Update the README" opened'],
    ['pull_request', { ...pull, action: 'closed' }, 'acme/web: pull request #2 "Update the README" closed'],
    [
      'pull_request',
      { ...pull, action: 'closed', pull_request: { ...pull.pull_request, merged: true } },
      'acme/web: pull request #2 "Update the README" merged',
    ],
    [
      'pull_request',
      { ...pull, action: 'review_requested' },
      'acme/web: pull request #2 "Update the README" review requested',
    ],
    [
      'pull_request_review',
      { ...pull, action: 'submitted', review: { state: 'changes_requested' } },
      'acme/web: review of pull request #2 changes requested',
    ],
    ['issue_comment', comment, 'acme/web: comment on issue #1 "Spelling error" created: "You are right."'],
    ['workflow_run', run, 'FAILED acme/web: workflow "CI" failed on main'],
    [
      'workflow_run',
      { ...run, workflow_run: { ...run.workflow_run, conclusion: 'timed_out' } },
      'FAILED acme/web: workflow "CI" timed out on main',
    ],
    [
      'workflow_run',
      { ...run, workflow_run: { ...run.workflow_run, conclusion: 'cancelled' } },
      'acme/web: workflow "CI" cancelled on main',
    ],
    [
      'workflow_run',
      { ...run, workflow_run: { ...run.workflow_run, conclusion: null } },
      'ignored: a workflow that is still running',
    ],
    ['check_run', { check_run: { name: 'lint', conclusion: 'failure' } }, 'FAILED check "lint" failed'],
    ['status', { state: 'pending', context: 'ci' }, 'ignored: a status that is still pending'],
    ['status', { state: 'error', context: 'ci', branches: [{ name: 'main' }] }, 'FAILED status "ci" error on main'],
    [
      'deployment_status',
      { deployment_status: { state: 'in_progress' } },
      'ignored: a deployment that is still running',
    ],
    [
      'deployment_status',
      { deployment_status: { state: 'failure', environment: 'live' } },
      'FAILED deployment to "live" failure',
    ],
    ['release', { action: 'published', release: { tag_name: 'v1', name: null } }, 'release "v1" published'],
    ['create', { ref_type: 'branch', ref: 'new' }, 'branch "new" created'],
    ['dependabot_alert', { action: 'created', alert: { number: 3 } }, 'dependabot alert created'],
    ['star', githubPayloads.star, 'acme/web: star created'],
    ['ping', githubPayloads.ping, 'ignored: a ping: the webhook is set up'],
    ['', {}, 'event'],
  ])('in %s is one line', ([event, payload, line]) => {
    expect(github(event, payload)).toBe(line)
  })
})

describe('an event of GitLab', () => {
  test.for<[string, unknown, string]>([
    ['Push Hook', pushed, 'acme/web: 4 commits pushed to main: "fixed readme"'],
    ['Push Hook', { ...pushed, before: nothing, commits: [], total_commits_count: 0 }, 'acme/web: branch main created'],
    ['Push Hook', { ...pushed, after: nothing }, 'acme/web: branch main deleted'],
    [
      'Tag Push Hook',
      { ...pushed, object_kind: 'tag_push', ref: 'refs/tags/v1', after: nothing },
      'acme/web: tag v1 deleted',
    ],
    ['Merge Request Hook', merge, 'acme/web: merge request !1 "MS-Viewport" opened'],
    [
      'Merge Request Hook',
      { ...merge, object_attributes: { ...merge.object_attributes, action: 'merge' } },
      'acme/web: merge request !1 "MS-Viewport" merged',
    ],
    [
      'Note Hook',
      gitlabPayloads['Note Hook'],
      'acme/web: comment on merge request "Tempora et eos debitis": "Hello world"',
    ],
    ['Pipeline Hook', pipeline, 'FAILED acme/web: pipeline #31 failed on main'],
    [
      'Pipeline Hook',
      { ...pipeline, object_attributes: { ...pipeline.object_attributes, status: 'running' } },
      'ignored: pipeline #31: still running',
    ],
    ['Job Hook', job, 'acme/web: job "test" failed on main'],
    ['Job Hook', { ...job, build_allow_failure: false }, 'FAILED acme/web: job "test" failed on main'],
    ['Emoji Hook', { object_kind: 'emoji', event_type: 'award' }, 'emoji'],
    ['System Hook', { event_name: 'project_create', name: 'x' }, 'project create'],
    ['', {}, 'event'],
  ])('in %s is one line', ([event, payload, line]) => {
    expect(gitlab(event, payload)).toBe(line)
  })
})

test('several alerts are counted, and the first instances named', () => {
  const [alert] = alertmanagerPayload.alerts
  const alerts = ['a', 'b', 'c', 'd', 'e'].map(instance => ({ ...alert, labels: { ...alert.labels, instance } }))
  const commonLabels = { alertname: 'HighLatency' }
  const read = sources.alertmanager.read({ ...alertmanagerPayload, alerts, commonLabels, truncatedAlerts: 2 }, call())
  expect(read).toMatchObject({
    line: '7 firing: HighLatency on a, b, c and 2 more: "Requests take longer than 1 s"',
    link: 'http://alertmanager.example:9093/',
    failed: true,
  })
})

test('a generic payload is described by its usual fields, or as JSON', () => {
  const read = (payload: unknown) => sources.generic.read(payload, call())
  expect(read({ type: 'invoice.paid', data: { text: 'Paid' }, severity: 'critical' })).toMatchObject({
    ...{ event: 'invoice.paid', line: 'Paid', failed: true },
  })
  expect(read({ a: 1 })).toMatchObject({ line: '{"a":1}', failed: false })
  expect(read(['x'])).toMatchObject({ line: '["x"]' })
  expect(read('')).toMatchObject({ line: '(an empty text)' })
  expect(JSON.parse('{"__proto__": {"text": "x"}, "constructor": {"text": "y"}}')).toSatisfy(
    payload => !('ignored' in read(payload)),
  )
})

describe('a signature', () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const now = 1_795_750_000_000
  const body = '{"a": 1}'
  const proves = (source: keyof typeof sources, headers: Record<string, string | string[]>, raw = body, at = now) =>
    sources[source].prove({ headers, raw: Buffer.from(raw) }, [secret], at).ok

  test('covers the bytes as received', () => {
    const headers = githubHeaders(body, secret, 'push', 'd')
    expect(proves('github', headers)).toBe(true)
    expect(proves('github', headers, '{"a":1}')).toBe(false)
    expect(proves('github', { ...headers, 'x-hub-signature-256': headers['x-hub-signature-256'].toUpperCase() })).toBe(
      true,
    )
    expect(proves('github', { ...headers, 'x-hub-signature-256': [headers['x-hub-signature-256'], 'sha256=00'] })).toBe(
      false,
    )
    expect(
      proves('github', { ...headers, 'x-hub-signature-256': `${headers['x-hub-signature-256']}, sha256=00` }),
    ).toBe(false)
  })

  test('is valid by either secret of a rotation, and never without a secret', () => {
    const call = { headers: githubHeaders(body, 'old', 'push', 'd'), raw: Buffer.from(body) }
    expect(sources.github.prove(call, [secret, 'old'], now).ok).toBe(true)
    expect(sources.github.prove(call, [secret], now).ok).toBe(false)
    expect(sources.github.prove(call, [], now).ok).toBe(false)
    expect(sources.gitlab.prove({ headers: { 'x-gitlab-token': 'x' }, raw: call.raw }, [], now).ok).toBe(false)
  })

  test('of Standard Webhooks covers id and time, within five minutes either way', () => {
    const signed = (id: string, s = now / 1000) => standardHeaders(body, secret, id, s)
    expect(proves('gitlab', signed('k'))).toBe(true)
    for (const apart of [-300, 300]) expect(proves('gitlab', signed('k', now / 1000 + apart))).toBe(true)
    for (const apart of [-301, 301]) expect(proves('gitlab', signed('k', now / 1000 + apart))).toBe(false)
    expect(proves('gitlab', { ...signed('k'), 'webhook-id': 'l' })).toBe(false)
    expect(proves('gitlab', { ...signed('k'), 'webhook-timestamp': String(now / 1000 + 1) })).toBe(false)
    // The signed text must not be readable as another id, time and body.
    const confused = createHmac('sha256', Buffer.alloc(32, 7))
      .update(`k.1.${now / 1000}.${body}`)
      .digest('base64')
    const headers = {
      'webhook-id': 'k.1',
      'webhook-timestamp': String(now / 1000),
      'webhook-signature': `v1,${confused}`,
    }
    expect(proves('gitlab', headers)).toBe(false)
    expect(proves('gitlab', { ...signed('k'), 'webhook-signature': 'v1,' })).toBe(false)
    expect(proves('gitlab', { ...signed('k'), 'webhook-signature': 'v1,x '.repeat(50) })).toBe(false)
  })
})

describe('a template', () => {
  const event = { event: 'push', line: 'LINE', link: 'https://x.example/', actor: 'mona', failed: true }

  test('is filled in one pass, with values in one line', () => {
    const template = '{{ line }} {{actor}} {{payload.a.0}} {{payload.b}} {{payload.no}}|{{payload.toString}}'
    const payload = { a: ['{{link}}\nx\u001b'], b: { c: [1] } }
    expect(messageOf(event, payload, { template, failedAs: null }).body).toBe(
      'LINE mona {{link}} x\\u{001b} {"c":[1]} |',
    )
  })

  test('that is missing or fills to nothing is replaced by the line, the actor and the link', () => {
    const body = 'LINE, by mona\nhttps://x.example/'
    expect(messageOf(event, {}, plain)).toEqual({ body, intent: 'inform' })
    expect(messageOf(event, {}, { template: ' {{payload.no}}', failedAs: 'request' })).toEqual({
      body,
      intent: 'request',
    })
    expect(messageOf({ ...event, failed: false }, {}, { ...plain, failedAs: 'request' }).intent).toBe('inform')
  })

  test('makes a message of bounded length', () => {
    const payload = { text: 'x'.repeat(1_000_000) }
    const { body } = messageOf(event, payload, { template: '{{payload.text}}'.repeat(100), failedAs: null })
    expect(body.length).toBeLessThan(10_100)
  })

  test.for(['no names', '{{lines}}', '{{payload}}', '{{payload.}}', '{{payload.a b}}', '{{}}', '{{line}} {{ }}'])(
    '%s is refused',
    template => {
      expect(() => checkTemplate(template)).toThrow(ClaudeNetError)
    },
  )
})

test('a link is http or https, short, and has no password', () => {
  const of = (url: unknown) => link({ url }, 'url')
  expect(of('https://a.example/x?y=z')).toBe('https://a.example/x?y=z')
  for (const url of [
    'javascript:alert(1)',
    'file:///etc/passwd',
    'https://u:p@a.example/',
    'a b',
    7,
    null,
    `https://a.example/${'x'.repeat(2000)}`,
  ])
    expect(of(url)).toBeUndefined()
  expect(of('https://a.example/\u202e\n"> x')).toMatch(/^[\x21-\x7e]+$/)
})
