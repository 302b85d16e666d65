import { createHmac } from 'node:crypto'

/** Payloads as in the sources' documentation, reduced to the fields that distinguish them. */

const repository = { id: 1296269, full_name: 'acme/web', html_url: 'https://github.com/acme/web', private: true }
const sender = { login: 'octocat', id: 1, type: 'User', html_url: 'https://github.com/octocat' }
const shas = ['6113728f27ae82c7b1a177c8d03f9e96e0adf246', 'a10867b14bb761a232cd80139fbd4c0d33264240'] as const

export const githubPayloads = {
  ping: {
    zen: 'Keep it logically awesome.',
    hook_id: 30,
    hook: { type: 'Repository', active: true },
    repository,
    sender,
  },
  push: {
    ref: 'refs/heads/main',
    before: shas[0],
    after: shas[1],
    created: false,
    deleted: false,
    forced: false,
    compare: 'https://github.com/acme/web/compare/6113728f27ae...a10867b14bb7',
    commits: [
      { id: shas[1], message: 'Fix login\n\nThe cookie was lost.', author: { name: 'Mona', username: 'mona' } },
    ],
    head_commit: {
      id: shas[1],
      message: 'Fix login\n\nThe cookie was lost.',
      url: `https://github.com/acme/web/commit/${shas[1]}`,
    },
    pusher: { name: 'octocat', email: 'octocat@github.com' },
    repository: { ...repository, pushed_at: 1_700_000_000 },
    sender,
  },
  pull_request: {
    action: 'opened',
    number: 2,
    pull_request: {
      number: 2,
      title: 'Update the README',
      html_url: 'https://github.com/acme/web/pull/2',
      merged: false,
      user: sender,
    },
    repository,
    sender,
  },
  issues: {
    action: 'opened',
    issue: {
      number: 1,
      title: 'Spelling error',
      html_url: 'https://github.com/acme/web/issues/1',
      state: 'open',
      body: 'It says "teh".',
    },
    repository,
    sender,
  },
  issue_comment: {
    action: 'created',
    issue: { number: 1, title: 'Spelling error', html_url: 'https://github.com/acme/web/issues/1' },
    comment: {
      id: 9,
      html_url: 'https://github.com/acme/web/issues/1#issuecomment-9',
      body: 'You are right.\nI will fix it.',
      user: sender,
    },
    repository,
    sender,
  },
  workflow_run: {
    action: 'completed',
    workflow_run: {
      id: 30433642,
      name: 'CI',
      head_branch: 'main',
      head_sha: shas[1],
      run_number: 562,
      event: 'push',
      status: 'completed',
      conclusion: 'failure',
      html_url: 'https://github.com/acme/web/actions/runs/30433642',
      actor: sender,
    },
    workflow: { id: 159038, name: 'CI', path: '.github/workflows/ci.yml' },
    repository,
    sender,
  },
  star: { action: 'created', starred_at: '2026-11-27T00:00:00Z', repository, sender },
} as const

const project = {
  id: 15,
  name: 'web',
  web_url: 'https://gitlab.example.com/acme/web',
  path_with_namespace: 'acme/web',
  default_branch: 'main',
}

export const gitlabPayloads = {
  'Push Hook': {
    object_kind: 'push',
    event_name: 'push',
    before: '95790bf891e76fee5e1747ab589903a6a1f80f22',
    after: 'da1560886d4f094c3e6c9ef40349f7d38b5d27d7',
    ref: 'refs/heads/main',
    checkout_sha: 'da1560886d4f094c3e6c9ef40349f7d38b5d27d7',
    user_id: 4,
    user_name: 'John Smith',
    user_username: 'jsmith',
    project,
    commits: [
      {
        id: 'b6568db1bc1dcd7f8b4d5a946b0b91f9dacd7327',
        message: 'Update Catalan translation.',
        title: 'Update Catalan translation.',
      },
      { id: 'da1560886d4f094c3e6c9ef40349f7d38b5d27d7', message: 'fixed readme', title: 'fixed readme' },
    ],
    total_commits_count: 4,
  },
  'Merge Request Hook': {
    object_kind: 'merge_request',
    event_type: 'merge_request',
    user: { id: 1, name: 'Administrator', username: 'root' },
    project,
    object_attributes: {
      id: 99,
      iid: 1,
      title: 'MS-Viewport',
      state: 'opened',
      action: 'open',
      source_branch: 'ms-viewport',
      target_branch: 'main',
      url: 'https://gitlab.example.com/acme/web/-/merge_requests/1',
    },
  },
  'Pipeline Hook': {
    object_kind: 'pipeline',
    object_attributes: {
      id: 31,
      iid: 3,
      ref: 'main',
      tag: false,
      status: 'failed',
      detailed_status: 'failed',
      duration: 63,
    },
    user: { id: 1, name: 'Administrator', username: 'root' },
    project,
    builds: [{ id: 380, stage: 'deploy', name: 'production', status: 'skipped' }],
  },
  'Job Hook': {
    object_kind: 'build',
    ref: 'main',
    build_id: 1977,
    build_name: 'test',
    build_stage: 'test',
    build_status: 'failed',
    build_allow_failure: true,
    user: { id: 3, name: 'User', username: 'user' },
    project,
  },
  'Note Hook': {
    object_kind: 'note',
    user: { id: 1, name: 'Administrator', username: 'root' },
    project,
    object_attributes: {
      id: 1241,
      note: 'Hello world',
      noteable_type: 'MergeRequest',
      url: 'https://gitlab.example.com/acme/web/-/merge_requests/1#note_1241',
    },
    merge_request: { id: 7, iid: 1, title: 'Tempora et eos debitis' },
  },
} as const

export const alertmanagerPayload = {
  receiver: 'claude-net',
  status: 'firing',
  alerts: [
    {
      status: 'firing',
      labels: { alertname: 'HighLatency', instance: 'web-1:9090', severity: 'critical' },
      annotations: { summary: 'Requests take longer than 1 s' },
      startsAt: '2026-11-27T03:00:00.000Z',
      endsAt: '0001-01-01T00:00:00Z',
      generatorURL: 'http://prometheus.example:9090/graph?g0.expr=latency',
      fingerprint: 'd3b07384d113edec',
    },
  ],
  groupLabels: { alertname: 'HighLatency' },
  commonLabels: { alertname: 'HighLatency', instance: 'web-1:9090', severity: 'critical' },
  commonAnnotations: { summary: 'Requests take longer than 1 s' },
  externalURL: 'http://alertmanager.example:9093',
  version: '4',
  groupKey: '{}:{alertname="HighLatency"}',
  truncatedAlerts: 0,
} as const

/** Returns GitHub's headers of a delivery, signed as GitHub does. */
export function githubHeaders(body: string | Buffer, secret: string, event: string, delivery: string) {
  return {
    'content-type': 'application/json',
    'user-agent': 'GitHub-Hookshot/044aadd',
    'x-github-delivery': delivery,
    'x-github-event': event,
    'x-github-hook-id': '30',
    'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  }
}

/** Returns the headers of Standard Webhooks, at `time` in s since 1970. */
export function standardHeaders(
  body: string | Buffer,
  secret: string,
  id: string,
  time = Math.floor(Date.now() / 1000),
) {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${time}.`).update(body).digest('base64')
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(time),
    'webhook-signature': `v1,${signature}`,
  }
}
