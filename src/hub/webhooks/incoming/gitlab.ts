import type { Reading, Source, WebhookCall } from './event.ts'
import { deliveryIdIn, header, isOneOf, proveStandard, sha256, unproven } from './proofs.ts'
import { at, join, lengthOf, link, title, word } from './words.ts'

/** Statuses of a pipeline or job that has not finished. */
const unfinished: ReadonlySet<string> = new Set([
  ...[
    'created',
    'waiting_for_resource',
    'preparing',
    'waiting_for_callback',
    'pending',
    'running',
    'scheduled',
    'manual',
  ],
  ...['started', 'blocked'],
])

/**
 * GitLab's webhooks (docs.gitlab.com/user/project/integrations/webhooks): signed as in Standard Webhooks if the signing secret was set as
 * the signing token, otherwise with the secret in `X-Gitlab-Token`. Before 17.4 deliveries have no `Idempotency-Key`; the hash of the body
 * stands in for it.
 */
export const gitlab: Source = {
  prove: (call, secrets, now) => {
    if (call.headers['webhook-signature'] !== undefined) return proveStandard(call, secrets, now)
    const token = header(call, 'x-gitlab-token')
    if (token === undefined || !isOneOf(token, secrets)) {
      return unproven(
        token === undefined ? 'it has neither webhook-signature nor X-Gitlab-Token' : 'its X-Gitlab-Token is wrong',
        "Put the signing secret of this webhook into the field Signing token, or Secret token, of GitLab's webhook settings.",
      )
    }
    return { ok: true, deliveryId: deliveryIdIn(call, ['idempotency-key']) ?? sha256(call.raw).toString('hex') }
  },
  formHint: 'GitLab sends JSON; a proxy in between has changed the content type.',
  read: readGitlab,
  example: {
    event: 'pipeline',
    line: 'acme/web: pipeline #31 failed on main',
    link: 'https://gitlab.com/acme/web/-/pipelines/31',
    actor: 'root',
    failed: true,
  },
}

function readGitlab(payload: unknown, call: WebhookCall): Reading {
  const eventName = word({ name: header(call, 'x-gitlab-event') }, 'name', 60)
  const kind =
    word(payload, ['object_kind', 'event_name'], 60) || eventName.replace(/ Hook$/, '').toLowerCase() || 'event'
  const action = word(payload, ['object_attributes.action', 'action'], 60)
  const event = join(kind, action)
  const actor = word(payload, ['user.username', 'user_username', 'user.name', 'user_name'])
  const where = word(
    payload,
    ['project.path_with_namespace', 'project_name', 'repository.name', 'group.full_path'],
    140,
  )
  const described = describe(kind, action, payload)
  if ('ignored' in described) return { event, ignored: described.ignored }
  const line = `${where === '' ? '' : `${where}: `}${described.line}`
  return {
    event,
    line,
    link: described.link ?? link(payload, 'project.web_url'),
    actor,
    failed: described.failed ?? false,
  }
}

type Description = { line: string; link?: string | undefined; failed?: boolean } | { ignored: string }

function describe(kind: string, action: string, payload: unknown): Description {
  switch (kind) {
    case 'push':
    case 'tag_push':
      return pushed(kind === 'push' ? 'branch' : 'tag', payload)
    case 'merge_request':
      return numbered('merge request', '!', action, payload)
    case 'issue':
    case 'work_item':
      return numbered(word(payload, 'object_attributes.type').toLowerCase() || 'issue', '#', action, payload)
    case 'note': {
      const on = word(payload, 'object_attributes.noteable_type')
        .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
        .toLowerCase()
      const about = title(payload, ['merge_request.title', 'issue.title', 'commit.message', 'snippet.title'], 80)
      const text = title(payload, ['object_attributes.note', 'object_attributes.description'])
      return {
        line: `${join('comment', on && `on ${on}`, about)}${text === '' ? '' : `: ${text}`}`,
        link: link(payload, 'object_attributes.url'),
      }
    }
    case 'pipeline': {
      const id = number(payload, 'object_attributes.id')
      const url = link(payload, 'object_attributes.url') ?? under(payload, `pipelines/${id}`)
      return ended(
        `pipeline ${id === '' ? '' : `#${id}`}`,
        'object_attributes.status',
        'object_attributes.ref',
        url,
        payload,
      )
    }
    case 'build': {
      const name = `job ${title(payload, 'build_name')}`
      const job = ended(name, 'build_status', 'ref', under(payload, `jobs/${number(payload, 'build_id')}`), payload)
      return at(payload, 'build_allow_failure') === true ? { ...job, failed: false } : job
    }
    case 'deployment': {
      const to = `deployment to ${title(payload, 'environment')}`
      return ended(to, 'status', 'ref', link(payload, ['deployable_url', 'project.web_url']), payload)
    }
    case 'release':
      return { line: join('release', title(payload, ['name', 'tag']), action), link: link(payload, 'url') }
    case 'wiki_page':
      return {
        line: join('wiki page', title(payload, 'object_attributes.title'), action),
        link: link(payload, 'object_attributes.url'),
      }
    default:
      return {
        line: join(
          kind.replaceAll('_', ' '),
          title(payload, ['object_attributes.title', 'object_attributes.name']),
          action,
        ),
        link: link(payload, ['object_attributes.url', 'url']),
      }
  }
}

function pushed(what: string, payload: unknown): Description {
  const ref = word(payload, 'ref', 140).replace(/^refs\/(heads|tags)\//, '')
  const [before, after] = [word(payload, 'before'), word(payload, 'after')]
  if (isNothing(after)) return { line: `${what} ${ref} deleted` }
  const count = at(payload, 'total_commits_count')
  const commits = Number.isSafeInteger(count) ? Number(count) : lengthOf(at(payload, 'commits'))
  const isNew = isNothing(before)
  const url = isSha(before) && isSha(after) && !isNew ? under(payload, `compare/${before}...${after}`) : undefined
  if (commits === 0) return { line: `${what} ${ref} ${isNew ? 'created' : 'pushed'}`, link: url }
  const last = lengthOf(at(payload, 'commits')) - 1
  const message = title(payload, [`commits.${last}.title`, `commits.${last}.message`])
  const line = `${commits === 1 ? 'a commit' : `${commits} commits`} pushed to ${ref}`
  return { line: message === '' ? line : `${line}: ${message}`, link: url }
}

function numbered(what: string, sign: string, action: string, payload: unknown): Description {
  const iid = number(payload, 'object_attributes.iid')
  return {
    line: join(what, iid && `${sign}${iid}`, title(payload, 'object_attributes.title'), doneBy[action] ?? action),
    link: link(payload, 'object_attributes.url'),
  }
}

/** Past tense of GitLab's actions. */
const doneBy: Record<string, string> = {
  open: 'opened',
  close: 'closed',
  reopen: 'reopened',
  update: 'updated',
  merge: 'merged',
}

function ended(
  what: string,
  statusPath: string,
  refPath: string,
  url: string | undefined,
  payload: unknown,
): Description {
  const status = word(payload, statusPath)
  if (status === '' || unfinished.has(status)) return { ignored: `${what.trim()}: still running` }
  const ref = word(payload, refPath, 140)
  const says = status === 'success' ? 'succeeded' : status
  return { line: join(what.trim(), says, ref && `on ${ref}`), link: url, failed: status === 'failed' }
}

/** Returns the URL of a page of the project. */
function under(payload: unknown, page: string): string | undefined {
  const project = link(payload, ['project.web_url', 'repository.homepage'])
  return project === undefined ? undefined : `${project}/-/${page}`
}

function number(payload: unknown, path: string): string {
  const value = at(payload, path)
  return Number.isSafeInteger(value) ? String(value) : ''
}

function isSha(text: string): boolean {
  return /^[0-9a-f]{40,64}$/.test(text)
}

function isNothing(sha: string): boolean {
  return /^0{40,64}$/.test(sha)
}
