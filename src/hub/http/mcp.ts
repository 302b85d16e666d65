import { setImmediate } from 'node:timers/promises'
import { maxLine } from '../../protocol/activity.ts'
import { api, type RouteName } from '../../protocol/api.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { kindsHeader } from '../../protocol/kinds.ts'
import { ProjectName, projectHeader } from '../../protocol/projects.ts'
import type { AnswerOf, RequestOf, Route } from '../../protocol/routes/route.ts'
import { version } from '../../protocol/version.ts'
import { visibleLine } from '../../text/visible.ts'
import type { Identity } from '../auth/identify.ts'
import type { Watch } from '../seeing/watch.ts'
import { tokenById } from '../state/query/members.ts'
import type { Call, Handler, Handlers } from './handler.ts'
import type { Limits } from './limits.ts'
import { NextSign } from './next-sign.ts'
import { parse } from './parse.ts'
import { renewalRemark } from './renew-token.ts'
import { StatusLines } from './status-lines.ts'

/** Returns the session that receipts name for a reader by `POST /mcp`, where no client runs that has a session of its own. */
const sessionOf = (project: string | undefined) => (project === undefined ? 'http' : `http-${project}`.slice(0, 64))

/** Most calls in one JSON-RPC batch. */
const maxBatch = 100

type McpCall = Call<(typeof api)['mcp']>
type Line = import('../../mcp/line.ts').Line

const names = new Map(
  (Object.keys(api) as RouteName[]).map(name => [`${api[name].method} ${api[name].path}`, name] as const),
)

/**
 * `POST /mcp`: the tools of the stdio server, for machines without the client. The tools call the handlers of the other routes in
 * this process. The MCP SDK is loaded at the first request, so that a hub without such machines needs no memory for it.
 *
 * Messages in a response are `fetched` when it was written; with `ack: true` they are acked when the client gives another
 * sign of life (see `NextSign`), and shown again when it does not.
 */
export function mcp(handlers: () => Handlers, { limits, watch }: { limits: Limits; watch: Watch }): Handlers['mcp'] {
  const signs = new NextSign()
  const statusLines = new StatusLines()
  return async call => {
    const { hub, identity, request, reply, body } = call
    const { member, tokenId } = identity
    const { socket } = request.raw
    countBatch(limits, identity, body)
    const { answerMcp } = await import('../../mcp/http.ts')
    // The responses are read by the tools, which know all kinds, not by the caller.
    request.headers[kindsHeader] = 'all'
    const project = projectOf(call)
    const session = sessionOf(project)
    const speaker = `${member} ${session}`
    const beat = () => {
      hub.presence.beat(member, session, `claude-net/${version}`, statusLines.of(speaker, Date.now()), project)
    }
    const setStatus = async (text: string) => {
      const status = visibleLine(text, maxLine)
      statusLines.set(speaker, status, Date.now())
      beat()
      return status
    }
    beat()
    if (project !== undefined) await hub.projects.saw(member, project)
    // Sessions of several projects may share a token; a request of one is no evidence that another has read its response.
    const reader = project === undefined ? tokenId : `${tokenId} ${project}`
    await signs.came(reader)
    const gone = new AbortController()
    reply.raw.on('close', () => gone.abort())
    const { status, headers, text, shown, toAck } = await answerMcp({
      request: request.raw,
      body,
      line: { ...lineFor(call, handlers(), { limits, watch }), setStatus, scope: project },
      // The hash, as the id of the token is public: with the seed, others could use the ids of this caller's next calls first.
      seed: Buffer.from(tokenById(hub.state.db, tokenId)?.hash ?? []).toString('base64'),
      signal: gone.signal,
      remarks: renewalRemark(identity, hub),
    })
    if (gone.signal.aborted) return undefined
    const ignore = () => {} // The hub stops or its disk is full: the messages are shown again.
    reply.raw.once('finish', () => {
      const fetched = { type: 'inbox.fetched', by: member, ids: shown, session, project } as const
      if (shown.length > 0) hub.submit(fetched).catch(ignore)
      if (toAck.length === 0) return
      signs.next(socket, reader, () => hub.submit({ type: 'inbox.ack', by: member, ids: toAck, project }).catch(ignore))
    })
    reply.code(status)
    for (const [name, value] of headers) reply.header(name, value)
    reply.send(text === '' ? undefined : text)
    return undefined
  }
}

/**
 * Returns the project that the calling session claims to work on. Without one it reads all messages of its machine, each shown with its
 * project.
 */
function projectOf({ identity, request }: McpCall): string | undefined {
  const claimed = request.headers[projectHeader]
  if (claimed === undefined || claimed === '' || identity.role !== 'machine') return undefined
  const { data } = ProjectName.safeParse(claimed)
  if (data !== undefined) return data
  throw new ClaudeNetError(
    'invalid',
    `The header ${projectHeader} names no project.`,
    'A project has 1 to 64 characters a-z, 0-9 and -, and neither starts nor ends with -.',
  )
}

/** Counts the calls of a JSON-RPC batch but the first, which was counted with the request itself. */
function countBatch(limits: Limits, identity: Identity, body: unknown): void {
  if (!Array.isArray(body)) return
  if (body.length > maxBatch) {
    throw new ClaudeNetError('too_large', `A batch has ${maxBatch} calls at most.`, 'Send fewer at a time.')
  }
  for (let call = 1; call < body.length; call++) limits.countRequest(identity, false)
}

/** Returns the caller's line to this hub. Each call behaves as it does over the wire, limits and audit included. */
function lineFor(
  { hub, identity, request, reply }: McpCall,
  handlers: Handlers,
  { limits, watch }: { limits: Limits; watch: Watch },
): Omit<Line, 'setStatus'> {
  // The calls of a batch arrive at once. They run one after another, and yield to other requests between them.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(answer: () => Promise<T>): Promise<T> => {
    const turn = last.then(() => setImmediate()).then(answer)
    last = turn.catch(() => {})
    return turn
  }
  const client: Line['client'] = {
    now: Date.now,
    call: async <R extends Route>({ method, path }: R, given: RequestOf<R> = {}) => {
      const name = names.get(`${method} ${path}`)
      if (!name) throw new ClaudeNetError('not_found', `There is no ${method} ${path}.`, 'Restart the hub.')
      const route: Route = api[name]
      try {
        limits.countRequest(identity, name === 'sendMessage')
        const parsed = {
          params: parse(route.params, given.params ?? {}, 'path'),
          query: parse(route.query, given.query ?? {}, 'query'),
          body: parse(route.body, given.body, 'body'),
        }
        const handle = handlers[name] as Handler<Route>
        return (await inTurn(async () => handle({ ...parsed, hub, identity, request, reply }))) as AnswerOf<R>
      } catch (error) {
        const { clientAddress: address, headers } = request
        const { authorization } = headers
        const seen = { method, route: path, identity, address, authorization, params: given.params, body: given.body }
        if (error instanceof ClaudeNetError) watch.refused(seen, error)
        throw error
      }
    },
  }
  return {
    client,
    // The time zone of the caller is unknown here.
    timeZone: 'UTC',
    outbox: {
      send: async body => ({ kept: false, answer: await client.call(api.sendMessage, { body }) }),
      takeRefused: () => [],
    },
    keepWhole: ({ id }) => `the hub's answer to GET /v1/messages/${id} (with the same token)`,
  }
}
