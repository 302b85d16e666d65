import type { Reading, Source, WebhookCall } from './event.ts'
import { deliveryIdIn, header, isSignedInHex, sha256, unproven, wrongSignature } from './proofs.ts'
import { at, join, lengthOf, link, title, word } from './words.ts'

const failures: ReadonlySet<string> = new Set(['failure', 'timed_out', 'startup_failure', 'error'])

/**
 * GitHub's webhooks (docs.github.com/webhooks). `X-Hub-Signature-256` covers the body only, so the delivery id can be forged while the body
 * cannot.
 */
export const github: Source = {
  prove: (call, secrets) => {
    const signature = header(call, 'x-hub-signature-256')
    if (signature === undefined) {
      return unproven(
        'it has no X-Hub-Signature-256',
        "Put the signing secret of this webhook into the field Secret of GitHub's webhook settings.",
      )
    }
    if (!isSignedInHex(signature, 'sha256=', call.raw, secrets)) return wrongSignature
    return { ok: true, deliveryId: deliveryIdIn(call, ['x-github-delivery']), seal: sha256(call.raw) }
  },
  formHint: "Set Content type to application/json in GitHub's webhook settings.",
  read: readGithub,
  example: {
    event: 'workflow_run completed',
    line: 'acme/web: workflow "CI" failed on main',
    link: 'https://github.com/acme/web/actions/runs/1',
    actor: 'octocat',
    failed: true,
  },
}

function readGithub(payload: unknown, call: WebhookCall): Reading {
  const name = word({ name: header(call, 'x-github-event') }, 'name', 60) || 'event'
  const action = word(payload, 'action', 60)
  const event = join(name, action)
  const actor = word(payload, ['sender.login', 'pusher.name'])
  const where = word(payload, ['repository.full_name', 'organization.login', 'enterprise.slug'], 140)
  const described =
    name === 'ping' ? ({ ignored: 'a ping: the webhook is set up' } as const) : describe(name, action, payload)
  if ('ignored' in described) return { event, ignored: described.ignored }
  const line = `${where === '' ? '' : `${where}: `}${described.line}`
  const url = described.link ?? link(payload, ['repository.html_url', 'organization.url'])
  return { event, line, link: url, actor, failed: described.failed ?? false }
}

type Description = { line: string; link?: string | undefined; failed?: boolean } | { ignored: string }

function describe(name: string, action: string, payload: unknown): Description {
  switch (name) {
    case 'push':
      return pushed(payload)
    case 'pull_request': {
      const done = action === 'closed' && at(payload, 'pull_request.merged') === true ? 'merged' : action
      return numbered('pull request', 'pull_request', done, payload)
    }
    case 'pull_request_review': {
      const state = word(payload, 'review.state').replaceAll('_', ' ').toLowerCase()
      return {
        line: join(
          'review of pull request',
          numberOf(payload, 'pull_request'),
          action === 'submitted' ? state : action,
        ),
        link: link(payload, ['review.html_url', 'pull_request.html_url']),
      }
    }
    case 'issues':
      return numbered('issue', 'issue', action, payload)
    case 'discussion':
      return numbered('discussion', 'discussion', action, payload)
    case 'issue_comment':
    case 'pull_request_review_comment':
    case 'discussion_comment':
    case 'commit_comment':
      return commented(action, payload)
    case 'release':
      return {
        line: join('release', title(payload, ['release.name', 'release.tag_name']), action),
        link: link(payload, 'release.html_url'),
      }
    case 'create':
    case 'delete':
      return { line: join(word(payload, 'ref_type'), title(payload, 'ref'), name === 'create' ? 'created' : 'deleted') }
    case 'workflow_run':
      return ended('workflow', 'workflow_run', payload)
    case 'workflow_job':
      return ended('job', 'workflow_job', payload)
    case 'check_run':
      return ended('check', 'check_run', payload)
    case 'check_suite':
      return ended('checks', 'check_suite', payload)
    case 'status': {
      const state = word(payload, 'state')
      if (state === 'pending') return { ignored: 'a status that is still pending' }
      return {
        line: join('status', title(payload, 'context'), state, on(payload, 'branches.0.name')),
        link: link(payload, ['target_url', 'commit.html_url']),
        failed: failures.has(state),
      }
    }
    case 'deployment_status': {
      const state = word(payload, 'deployment_status.state')
      if (!['success', 'failure', 'error', 'inactive'].includes(state))
        return { ignored: 'a deployment that is still running' }
      return {
        line: join('deployment to', title(payload, 'deployment_status.environment'), state),
        link: link(payload, ['deployment_status.log_url', 'deployment_status.target_url', 'deployment.url']),
        failed: failures.has(state),
      }
    }
    default:
      return {
        line: join(
          name.replaceAll('_', ' '),
          numberOf(payload, name),
          title(payload, [`${name}.title`, `${name}.name`]),
          action,
        ),
        link: link(payload, [`${name}.html_url`, 'alert.html_url']),
      }
  }
}

function pushed(payload: unknown): Description {
  const ref = word(payload, 'ref', 140).replace(/^refs\/(heads|tags)\//, '')
  const what = String(at(payload, 'ref')).startsWith('refs/tags/') ? 'tag' : 'branch'
  if (at(payload, 'deleted') === true) return { line: `${what} ${ref} deleted`, link: link(payload, 'compare') }
  const commits = lengthOf(at(payload, 'commits'))
  const pushed = commits === 1 ? 'a commit' : `${commits} commits`
  const forced = at(payload, 'forced') === true ? 'force-pushed' : 'pushed'
  const message = title(payload, 'head_commit.message')
  const line =
    commits === 0
      ? `${what} ${ref} ${at(payload, 'created') === true ? 'created' : forced}`
      : `${pushed} ${forced} to ${ref}`
  return { line: message === '' ? line : `${line}: ${message}`, link: link(payload, ['compare', 'head_commit.url']) }
}

function numbered(what: string, key: string, action: string, payload: unknown): Description {
  return {
    line: join(what, numberOf(payload, key), title(payload, `${key}.title`), action.replaceAll('_', ' ')),
    link: link(payload, `${key}.html_url`),
  }
}

function commented(action: string, payload: unknown): Description {
  const on = ['issue', 'pull_request', 'discussion'].find(key => at(payload, key) !== undefined)
  const of =
    on === undefined
      ? ''
      : join('on', on.replaceAll('_', ' '), numberOf(payload, on), title(payload, `${on}.title`, 80))
  const text = title(payload, 'comment.body')
  return {
    line: `${join('comment', of, action)}${text === '' ? '' : `: ${text}`}`,
    link: link(payload, 'comment.html_url'),
  }
}

/** Describes a finished run; one still in progress is ignored. */
function ended(what: string, key: string, payload: unknown): Description {
  const conclusion = word(payload, `${key}.conclusion`)
  if (conclusion === '') return { ignored: `a ${what} that is still running` }
  const name = title(payload, [`${key}.name`, `${key}.app.name`, 'workflow.name'])
  const says =
    conclusion === 'failure' ? 'failed' : conclusion === 'success' ? 'succeeded' : conclusion.replaceAll('_', ' ')
  return {
    line: join(what, name, says, on(payload, `${key}.head_branch`, 'check_run.check_suite.head_branch')),
    link: link(payload, [`${key}.html_url`, `${key}.details_url`, `${key}.url`]),
    failed: failures.has(conclusion),
  }
}

function numberOf(payload: unknown, key: string): string {
  const number = at(payload, `${key}.number`)
  return Number.isSafeInteger(number) ? `#${number}` : ''
}

function on(payload: unknown, ...paths: string[]): string {
  const branch = word(payload, paths, 140)
  return branch === '' ? '' : `on ${branch}`
}
