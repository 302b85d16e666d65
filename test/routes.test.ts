import { createHash } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { beforeAll, describe, expect, test } from 'vitest'
import { api, type RouteName } from '../src/protocol/api.ts'
import { newConsoleSecret } from '../src/protocol/console-secret.ts'
import type { ErrorCode } from '../src/protocol/errors.ts'
import { newNonce } from '../src/protocol/hub-proof.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { maxBodyBytes } from '../src/protocol/messages.ts'
import { mintToken } from '../src/protocol/token.ts'
import type { TestMember } from './support/hub.ts'
import { errorOf, type RawAnswer, type RawRequest, raw } from './support/raw.ts'
import { expectRefused as refused } from './support/refused.ts'
import { sharedHub } from './support/shared-hub.ts'

const hub = sharedHub()
const tokens = { none: undefined as string | undefined, machine: '', human: '', admin: '', garbage: 'clnt_garbage' }
let machine: TestMember
let target: TestMember

beforeAll(async () => {
  machine = await hub.join('machine')
  target = await hub.join('target')
  tokens.machine = machine.token
  tokens.human = (await hub.join('human', 'human')).token
  tokens.admin = hub.adminToken
})

type Caller = keyof typeof tokens
type Statuses = Record<Caller, number>

/** Public, with or without a token, even a wrong one. */
const open: Statuses = { none: 200, machine: 200, human: 200, admin: 200, garbage: 200 }

/** Status of every route for each kind of caller, written by hand: a new route must be added here. */
const expected: Record<RouteName, Statuses> = {
  health: open,
  ready: open,
  metrics: { ...open, garbage: 401 },
  openapi: open,
  join: open,
  joinScript: open,
  clientFile: open,
  clientInfo: open,
  consolePage: open,
  consoleFile: open,
  // A hub can prove its identity over TLS only.
  proveHub: { none: 400, machine: 400, human: 400, admin: 400, garbage: 400 },
  hubKey: open,
  listHubs: { none: 401, machine: 200, human: 200, admin: 200, garbage: 401 },
  // A standalone hub has no others.
  hubSnapshot: { none: 404, machine: 404, human: 404, admin: 404, garbage: 404 },
  forgetHub: { none: 401, machine: 403, human: 403, admin: 404, garbage: 401 },
  sendMessage: { none: 401, machine: 201, human: 201, admin: 403, garbage: 401 },
  getMessage: { none: 401, machine: 200, human: 404, admin: 200, garbage: 401 },
  listMessages: { none: 401, machine: 200, human: 200, admin: 200, garbage: 401 },
  charts: { none: 401, machine: 200, human: 200, admin: 200, garbage: 401 },
  listConversations: { none: 401, machine: 200, human: 200, admin: 200, garbage: 401 },
  readInbox: { none: 401, machine: 200, human: 200, admin: 403, garbage: 401 },
  listLater: { none: 401, machine: 200, human: 200, admin: 403, garbage: 401 },
  // There is no scheduled message with this id.
  cancelLater: { none: 401, machine: 404, human: 404, admin: 403, garbage: 401 },
  markFetched: { none: 401, machine: 200, human: 200, admin: 403, garbage: 401 },
  markTold: { none: 401, machine: 200, human: 200, admin: 403, garbage: 401 },
  ackInbox: { none: 401, machine: 200, human: 200, admin: 403, garbage: 401 },
  listMachines: { none: 401, machine: 200, human: 200, admin: 200, garbage: 401 },
  putPolicy: { none: 401, machine: 200, human: 200, admin: 403, garbage: 401 },
  getMemberPolicy: { none: 401, machine: 200, human: 403, admin: 200, garbage: 401 },
  putMemberPolicy: { none: 401, machine: 200, human: 403, admin: 200, garbage: 401 },
  // Only a machine's token can be renewed.
  renewToken: { none: 401, machine: 200, human: 400, admin: 403, garbage: 401 },
  reportWrongHub: { none: 401, machine: 200, human: 200, admin: 403, garbage: 401 },
  heartbeat: { none: 401, machine: 200, human: 200, admin: 403, garbage: 401 },
  endSession: { none: 401, machine: 200, human: 200, admin: 403, garbage: 401 },
  events: { none: 401, machine: 200, human: 200, admin: 403, garbage: 401 },
  mcp: { none: 401, machine: 200, human: 200, admin: 403, garbage: 401 },
  invite: { none: 401, machine: 403, human: 403, admin: 201, garbage: 401 },
  addresses: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  listMembers: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  putMember: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  deleteMember: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  renameMember: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  revokeMember: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  rotateMember: { none: 401, machine: 403, human: 403, admin: 201, garbage: 401 },
  bindMember: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  putAlias: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  deleteAlias: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  liftBrake: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  listGroups: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  putGroup: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  deleteGroup: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  importOrganization: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  listAudit: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  getKey: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  rotateKey: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  getSettings: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  putSettings: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  makeBackup: { none: 401, machine: 403, human: 403, admin: 201, garbage: 401 },
  telegramStatus: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  telegramCheck: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  // This hub has no Telegram, so it has seen no users there.
  telegramConfirm: { none: 401, machine: 403, human: 403, admin: 404, garbage: 401 },
  // The URL itself is the credential, with or without a token.
  receiveWebhook: { none: 201, machine: 201, human: 201, admin: 201, garbage: 201 },
  testWebhook: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  addWebhook: { none: 401, machine: 403, human: 403, admin: 201, garbage: 401 },
  listWebhooks: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  changeWebhook: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  rotateWebhook: { none: 401, machine: 403, human: 403, admin: 201, garbage: 401 },
  deleteWebhook: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  addOutgoing: { none: 401, machine: 403, human: 403, admin: 201, garbage: 401 },
  listOutgoing: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  // There is no outgoing webhook with this name.
  deleteOutgoing: { none: 401, machine: 403, human: 403, admin: 404, garbage: 401 },
  testOutgoing: { none: 401, machine: 403, human: 403, admin: 404, garbage: 401 },
  rotateOutgoing: { none: 401, machine: 403, human: 403, admin: 404, garbage: 401 },
  listDead: { none: 401, machine: 403, human: 403, admin: 404, garbage: 401 },
  retryDead: { none: 401, machine: 403, human: 403, admin: 404, garbage: 401 },
  retryAllDead: { none: 401, machine: 403, human: 403, admin: 404, garbage: 401 },
  dropDead: { none: 401, machine: 403, human: 403, admin: 404, garbage: 401 },
  status: { none: 401, machine: 403, human: 403, admin: 200, garbage: 401 },
  consoleLink: { none: 401, machine: 201, human: 201, admin: 201, garbage: 401 },
  // A token is neither a link nor a console session.
  consoleLogin: { none: 403, machine: 403, human: 403, admin: 403, garbage: 403 },
  getConsole: { none: 401, machine: 403, human: 403, admin: 403, garbage: 401 },
  consoleLogout: { none: 401, machine: 403, human: 403, admin: 403, garbage: 401 },
  consoleSessions: { none: 401, machine: 200, human: 200, admin: 200, garbage: 401 },
  consoleRevoke: { none: 401, machine: 200, human: 200, admin: 200, garbage: 401 },
}

/** A request that each route accepts from the right caller. */
const requests: Record<RouteName, () => Promise<Omit<RawRequest, 'token'>> | Omit<RawRequest, 'token'>> = {
  health: () => ({ path: '/healthz' }),
  ready: () => ({ path: '/readyz' }),
  metrics: () => ({ path: '/metrics' }),
  openapi: () => ({ path: '/openapi.json' }),
  join: async () => {
    const name = `newcomer-${newMessageId().slice(-8)}`
    const { code } = await hub.client(hub.adminToken).call(api.invite, { body: { name } })
    return { path: '/v1/join', body: { code, machine: name, token: mintToken('machine') } }
  },
  joinScript: () => ({ path: '/join/AAAA-BBBB-CCCC-DDDD' }),
  clientFile: () => ({ path: '/client/claude-net.mjs' }),
  clientInfo: () => ({ path: '/client/claude-net.json' }),
  consolePage: () => ({ path: '/' }),
  consoleFile: () => ({ path: '/console/icon.svg' }),
  proveHub: () => ({ path: '/v1/proof', body: { tokenId: 'abcdefgh', nonce: newNonce() } }),
  hubKey: () => ({ path: '/hub-key.json' }),
  listHubs: () => ({ path: '/v1/hubs' }),
  hubSnapshot: () => ({ path: '/v1/hubs/snapshot' }),
  forgetHub: () => ({ path: '/v1/hubs/none', method: 'DELETE' }),
  sendMessage: () => ({ path: '/v1/messages', body: { to: 'human', body: 'hello' } }),
  getMessage: async () => {
    const { id } = await machine.client.call(api.sendMessage, { body: { to: 'target', body: 'hello' } })
    return { path: `/v1/messages/${id}` }
  },
  listMessages: () => ({ path: '/v1/messages' }),
  charts: () => ({ path: '/v1/charts' }),
  listConversations: () => ({ path: '/v1/conversations' }),
  readInbox: () => ({ path: '/v1/inbox' }),
  listLater: () => ({ path: '/v1/later' }),
  cancelLater: () => ({ path: `/v1/later/${newMessageId()}`, method: 'DELETE' }),
  markFetched: () => ({ path: '/v1/inbox/fetched', body: { ids: [newMessageId()], session: 's1' } }),
  markTold: () => ({ path: '/v1/inbox/told', body: { ids: [newMessageId()], session: 's1', how: 'hook' } }),
  ackInbox: () => ({ path: '/v1/inbox/ack', body: { ids: [newMessageId()] } }),
  listMachines: () => ({ path: '/v1/machines' }),
  putPolicy: () => ({ path: '/v1/me', method: 'PUT', body: {} }),
  getMemberPolicy: () => ({ path: '/v1/members/machine/policy' }),
  putMemberPolicy: () => ({ path: '/v1/members/machine/policy', method: 'PUT', body: {} }),
  renewToken: () => ({ path: '/v1/token', body: { token: mintToken('machine') } }),
  reportWrongHub: () => ({
    path: '/v1/wrong-hubs',
    body: { address: 'https://10.0.3.1:3500', hubKey: null, times: 1, at: new Date().toISOString() },
  }),
  heartbeat: () => ({ path: '/v1/presence', body: { session: 's1', client: 'test/1' } }),
  endSession: () => ({ path: '/v1/presence?session=s1', method: 'DELETE' }),
  events: () => ({ path: '/v1/events' }),
  mcp: () => ({ path: '/mcp', headers: mcpHeaders, body: { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} } }),
  invite: () => ({ path: '/v1/admin/invites', body: { name: 'invited' } }),
  addresses: () => ({ path: '/v1/admin/addresses' }),
  listMembers: () => ({ path: '/v1/admin/members' }),
  putMember: () => ({ path: '/v1/admin/members/target', method: 'PUT', body: {} }),
  deleteMember: async () => ({ path: `/v1/admin/members/${await made('member')}`, method: 'DELETE' }),
  renameMember: async () => ({ path: `/v1/admin/members/${await made('member')}/rename`, body: { to: fresh() } }),
  revokeMember: async () => ({ path: `/v1/admin/members/${await made('member')}/revoke`, method: 'POST' }),
  rotateMember: async () => ({ path: `/v1/admin/members/${await made('member')}/rotate`, method: 'POST' }),
  bindMember: () => ({ path: '/v1/admin/members/target/from', method: 'PUT', body: { ranges: ['127.0.0.0/8'] } }),
  putAlias: () => ({ path: '/v1/admin/aliases/also-target', method: 'PUT', body: { member: 'target' } }),
  deleteAlias: async () => ({ path: `/v1/admin/aliases/${await made('alias')}`, method: 'DELETE' }),
  liftBrake: async () => ({
    path: `/v1/admin/brakes/${await made('member')}/lift`,
    body: { member: await made('member') },
  }),
  listGroups: () => ({ path: '/v1/admin/groups' }),
  putGroup: () => ({ path: '/v1/admin/groups/some', method: 'PUT', body: { members: ['target'] } }),
  deleteGroup: async () => ({ path: `/v1/admin/groups/${await made('group')}`, method: 'DELETE' }),
  importOrganization: () => ({ path: '/v1/admin/import', body: { humans: { sean: {} } } }),
  listAudit: () => ({ path: '/v1/admin/audit' }),
  getKey: () => ({ path: '/v1/admin/key' }),
  rotateKey: () => ({ path: '/v1/admin/key/rotate', body: {} }),
  getSettings: () => ({ path: '/v1/admin/settings' }),
  putSettings: () => ({ path: '/v1/admin/settings', method: 'PUT', body: { keepTextDays: 30 } }),
  makeBackup: () => ({ path: '/v1/admin/backup', method: 'POST' }),
  telegramStatus: () => ({ path: '/v1/admin/telegram' }),
  telegramCheck: () => ({ path: '/v1/admin/telegram/check' }),
  telegramConfirm: () => ({ path: '/v1/admin/telegram/people/sean', method: 'PUT', body: { userId: 1 } }),
  receiveWebhook: async () => {
    const body = { name: fresh(), source: 'generic' as const, to: ['target'] }
    const { path } = await hub.client(hub.adminToken).call(api.addWebhook, { body })
    return { path, body: { text: 'hello' } }
  },
  testWebhook: async () => ({ path: `/v1/admin/webhooks/${await made('webhook')}/test`, method: 'POST' }),
  addWebhook: () => ({ path: '/v1/admin/webhooks', body: { name: fresh(), source: 'github', to: ['target'] } }),
  listWebhooks: () => ({ path: '/v1/admin/webhooks' }),
  changeWebhook: async () => ({ path: `/v1/admin/webhooks/${await made('webhook')}`, method: 'PUT', body: {} }),
  rotateWebhook: async () => ({ path: `/v1/admin/webhooks/${await made('webhook')}/rotate`, method: 'POST' }),
  deleteWebhook: async () => ({ path: `/v1/admin/webhooks/${await made('webhook')}`, method: 'DELETE' }),
  addOutgoing: () => ({ path: '/v1/admin/outgoing', body: { url: 'http://127.0.0.1:9/', on: ['expired'] } }),
  listOutgoing: () => ({ path: '/v1/admin/outgoing' }),
  deleteOutgoing: () => ({ path: '/v1/admin/outgoing/none', method: 'DELETE' }),
  testOutgoing: () => ({ path: '/v1/admin/outgoing/none/test', method: 'POST' }),
  rotateOutgoing: () => ({ path: '/v1/admin/outgoing/none/rotate', method: 'POST' }),
  listDead: () => ({ path: '/v1/admin/outgoing/none/dead' }),
  retryDead: () => ({ path: '/v1/admin/outgoing/none/dead/some/retry', method: 'POST' }),
  retryAllDead: () => ({ path: '/v1/admin/outgoing/none/dead/retry', method: 'POST' }),
  dropDead: () => ({ path: '/v1/admin/outgoing/none/dead', method: 'DELETE' }),
  status: () => ({ path: '/v1/admin/status' }),
  consoleLink: () => ({ path: '/v1/console/links', body: {} }),
  consoleLogin: () => ({ path: '/v1/console/login', body: { secret: newConsoleSecret() } }),
  getConsole: () => ({ path: '/v1/console' }),
  consoleLogout: () => ({ path: '/v1/console', method: 'DELETE' }),
  consoleSessions: () => ({ path: '/v1/console/sessions' }),
  consoleRevoke: () => ({ path: '/v1/console/sessions/all', method: 'DELETE' }),
}

const mcpHeaders = { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-11-25' }

function fresh(): string {
  return `fresh-${newMessageId().slice(-8)}`
}

/** Creates a member, alias, group or webhook for a request that uses it up. Returns its name. */
async function made(what: 'member' | 'alias' | 'group' | 'webhook'): Promise<string> {
  const name = fresh()
  const admin = hub.client(hub.adminToken)
  if (what === 'member') await admin.call(api.putMember, { params: { name }, body: {} })
  if (what === 'webhook') await admin.call(api.addWebhook, { body: { name, source: 'generic', to: ['target'] } })
  if (what === 'alias') await admin.call(api.putAlias, { params: { name }, body: { member: 'target' } })
  if (what === 'group') await admin.call(api.putGroup, { params: { name }, body: { members: [] } })
  return name
}

const codes: Record<number, ErrorCode> = { 400: 'invalid', 401: 'unauthorized', 403: 'forbidden', 404: 'not_found' }

describe('A20: permissions', () => {
  test('every route of the table is in the table of this test', () => {
    expect(Object.keys(expected).sort()).toEqual(Object.keys(api).sort())
    expect(Object.keys(requests).sort()).toEqual(Object.keys(api).sort())
  })

  const cases = (Object.keys(expected) as RouteName[]).flatMap(route =>
    (Object.keys(expected[route]) as Caller[]).map(caller => [route, caller, expected[route][caller]] as const),
  )
  test.each(cases)('%s responds to a caller with the token of: %s with %i', async (route, caller, status) => {
    const request = { ...(await requests[route]()), token: tokens[caller] }
    const answer = route === 'events' ? await headOf(request) : await raw(hub, request)
    expect(answer.status).toBe(status)
    if (status >= 400) expect(errorOf(answer).code).toBe(codes[status])
    if (status === 401) expect(answer.headers['www-authenticate']).toBe('Bearer')
  })

  test('a token is valid as a whole or not at all, and the response does not reveal which part was wrong', async () => {
    const [, , id, secret] = tokens.machine.split('_') as [string, string, string, string, string]
    const other = mintToken('machine')
    const [, , , otherSecret] = other.split('_') as [string, string, string, string, string]
    const wrong = [other, forge('m', id, otherSecret), forge('a', id, secret), forge('m', other.split('_')[2]!, secret)]
    const answers = await Promise.all(wrong.map(token => raw(hub, { path: '/v1/inbox', token })))
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401])
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    // A token forged in the same way from the right parts is valid.
    expect(await raw(hub, { path: '/v1/inbox', token: forge('m', id, secret) })).toMatchObject({ status: 200 })
  })

  test.each(['', 'Bearer', 'Bearer ', 'Basic bWFjaGluZTp4', '{token}', 'Bearer {token},{token}'])(
    'an Authorization header "%s" is not accepted',
    async header => {
      const authorization = header.replaceAll('{token}', tokens.machine)
      const answer = await raw(hub, { path: '/v1/inbox', headers: { authorization } })
      expect(answer.status).toBe(401)
      errorOf(answer)
    },
  )

  test('a token in the query is not accepted', async () => {
    const answer = await raw(hub, { path: `/v1/inbox?token=${tokens.machine}` })
    expect(answer.status).toBe(401)
  })

  test('the body of an unauthenticated request is not read: without a token invalid JSON is 401, not 400', async () => {
    const answer = await raw(hub, { path: '/v1/messages', headers: json, body: '{' })
    expect(answer.status).toBe(401)
  })
})

const json = { 'content-type': 'application/json' }

/** Returns a send that would be stored if `more` did not invalidate it. */
function sendBody(more: Record<string, unknown> = {}): Record<string, unknown> {
  return { to: 'target', body: 'must not be stored', ...more }
}

describe('invalid input is refused with a hint, changes nothing, and the hub continues', () => {
  const expectRefused = (request: RawRequest, code: ErrorCode, says: RegExp) =>
    refused(hub, { token: tokens.machine, ...request }, code, says)

  const whole = JSON.stringify(sendBody())

  test.each<[string, Partial<RawRequest>, ErrorCode, RegExp]>([
    ['no body', { method: 'POST' }, 'invalid', /^body: /],
    ['an empty body', { headers: json, body: '' }, 'invalid', /^body: /],
    ['half of its JSON', { headers: json, body: whole.slice(0, -5) }, 'invalid', /JSON/],
    ['JSON and more behind it', { headers: json, body: `${whole}{}` }, 'invalid', /JSON/],
    ['a comment in its JSON', { headers: json, body: `/**/${whole}` }, 'invalid', /JSON/],
    ['null', { headers: json, body: 'null' }, 'invalid', /^body: /],
    ['a list', { headers: json, body: `[${whole}]` }, 'invalid', /^body: /],
    ['a text', { headers: json, body: JSON.stringify(whole) }, 'invalid', /^body: /],
    ['UTF-16', { headers: json, body: Buffer.from(whole, 'utf16le') }, 'invalid', /JSON|UTF-8/],
    ['20,000 recipients', { body: sendBody({ to: Array(20_000).fill('target') }) }, 'invalid', /^body\.to/],
    [
      '101 recipients',
      { body: sendBody({ to: Array(101).fill('target') }) },
      'invalid',
      /^body\.to: .* at most 100 names/,
    ],
    ['a field named from', { body: sendBody({ from: 'target' }) }, 'forbidden', /'from'/],
    ['from and another unknown field', { body: sendBody({ x: 1, from: 'machine' }) }, 'forbidden', /'from'/],
    ['an unknown field', { body: sendBody({ colour: 'red' }) }, 'invalid', /colour/],
    ['no recipient', { body: { body: 'must not be stored' } }, 'invalid', /^body\.to: /],
    ['an empty list of recipients', { body: sendBody({ to: [] }) }, 'invalid', /^body\.to/],
    ['a blank text', { body: sendBody({ body: ' \n\u3000' }) }, 'invalid', /^body\.body: a message needs a text/],
    ['a blank recipient', { body: sendBody({ to: '  ' }) }, 'invalid', /^body\.to/],
    ['a recipient that is no text', { body: sendBody({ to: { name: 'target' } }) }, 'invalid', /^body\.to/],
    ['a name of 101 characters', { body: sendBody({ to: 'a'.repeat(101) }) }, 'invalid', /^body\.to/],
    ['the reserved name hub', { body: sendBody({ to: 'hub' }) }, 'not_found', /'hub'/],
    ['no text', { body: { to: 'target' } }, 'invalid', /^body\.body: /],
    ['an empty text', { body: sendBody({ body: '' }) }, 'invalid', /^body\.body: .*needs a text/],
    ['a number for a text', { body: sendBody({ body: 5 }) }, 'invalid', /^body\.body: /],
    ['an id that is no UUID', { body: sendBody({ id: 'x' }) }, 'invalid', /^body\.id: /],
    ['an id with braces', { body: sendBody({ id: `{${newMessageId()}}` }) }, 'invalid', /^body\.id: /],
    ['a number for an id', { body: sendBody({ id: 7 }) }, 'invalid', /^body\.id: /],
    ['a replyTo that is no id', { body: sendBody({ replyTo: 'the last one' }) }, 'invalid', /^body\.replyTo: /],
    ['an unknown intent', { body: sendBody({ intent: 'command' }) }, 'invalid', /^body\.intent: /],
    ['an end in 0 s', { body: sendBody({ expiresInS: 0 }) }, 'invalid', /^body\.expiresInS: /],
    ['an end in the past', { body: sendBody({ expiresInS: -1 }) }, 'invalid', /^body\.expiresInS: /],
    ['an end in half a second', { body: sendBody({ expiresInS: 0.5 }) }, 'invalid', /^body\.expiresInS: /],
    ['an end in more than a year', { body: sendBody({ expiresInS: 31_536_001 }) }, 'invalid', /^body\.expiresInS: /],
    [
      'an end of 1e999 s',
      { headers: json, body: '{"to":"target","body":"must not be stored","expiresInS":1e999}' },
      'invalid',
      /^body\.expiresInS: /,
    ],
    ['a text for an end', { body: sendBody({ expiresInS: '60' }) }, 'invalid', /^body\.expiresInS: /],
    ['a query that no route has', { path: '/v1/messages?from=target', body: sendBody() }, 'forbidden', /'from'/],
    ['an unknown query', { path: '/v1/messages?x=1', body: sendBody() }, 'invalid', /^query: .*x/],
  ])('a send with %s', async (_, request, code, says) => {
    await expectRefused({ path: '/v1/messages', ...request }, code, says)
  })

  const id = newMessageId()
  test.each<[string, RawRequest, ErrorCode, RegExp]>([
    ['limit=0', { path: '/v1/inbox?limit=0' }, 'invalid', /^query\.limit: /],
    ['limit=101', { path: '/v1/inbox?limit=101' }, 'invalid', /^query\.limit: /],
    ['limit=-1', { path: '/v1/inbox?limit=-1' }, 'invalid', /^query\.limit: /],
    ['limit=1.5', { path: '/v1/inbox?limit=1.5' }, 'invalid', /^query\.limit: /],
    ['limit=NaN', { path: '/v1/inbox?limit=NaN' }, 'invalid', /^query\.limit: /],
    ['limit=', { path: '/v1/inbox?limit=' }, 'invalid', /^query\.limit: /],
    ['two limits', { path: '/v1/inbox?limit=1&limit=2' }, 'invalid', /^query\.limit: /],
    ['after=now', { path: '/v1/inbox?after=now' }, 'invalid', /after=now/],
    ['an after of 10,000 characters', { path: `/v1/inbox?after=${'1'.repeat(10_000)}` }, 'invalid', /^query\.after: /],
    ['from= in the query', { path: '/v1/inbox?from=target' }, 'forbidden', /'from'/],
    ['an ack of nothing', { path: '/v1/inbox/ack', body: { ids: [] } }, 'invalid', /^body\.ids: /],
    ['an ack of 101', { path: '/v1/inbox/ack', body: { ids: Array(101).fill(id) } }, 'invalid', /^body\.ids: /],
    ['an ack of everything', { path: '/v1/inbox/ack', body: { ids: 'all' } }, 'invalid', /^body\.ids: /],
    ['an ack of a bad id', { path: '/v1/inbox/ack', body: { ids: [id, 'x'] } }, 'invalid', /^body\.ids\.1: /],
    ['an ack for another', { path: '/v1/inbox/ack', body: { ids: [id], from: 'target' } }, 'forbidden', /'from'/],
    ['fetched without a session', { path: '/v1/inbox/fetched', body: { ids: [id] } }, 'invalid', /^body\.session: /],
    [
      'fetched by a bad session',
      { path: '/v1/inbox/fetched', body: { ids: [id], session: 'a b' } },
      'invalid',
      /^body\.session: /,
    ],
    ['a message with a bad id', { path: '/v1/messages/1' }, 'invalid', /^path\.id: /],
    ['a message with half an id', { path: `/v1/messages/${id.slice(1)}` }, 'invalid', /^path\.id: /],
    ['a message with an endless id', { path: `/v1/messages/${'a'.repeat(5000)}` }, 'invalid', /./],
    ['a message that is not there', { path: `/v1/messages/${id}` }, 'not_found', new RegExp(id)],
    ['a path that climbs', { path: '/v1/messages/../admin/members' }, 'not_found', /no GET/],
    ['a path that is no UTF-8', { path: '/v1/messages/%ff' }, 'invalid', /./],
    ['a broken escape', { path: '/v1/messages/%zz' }, 'invalid', /./],
    [
      'a heartbeat with a newline in its client',
      { path: '/v1/presence', body: { session: 's', client: 'a\nb' } },
      'invalid',
      /^body\.client: /,
    ],
    [
      'a heartbeat with a second line in its status',
      { path: '/v1/presence', body: { session: 's', client: 'x', status: 'a\u2028b' } },
      'invalid',
      /^body\.status: must be one line of at most 100 characters/,
    ],
    [
      'a heartbeat with a long branch',
      { path: '/v1/presence', body: { session: 's', client: 'x', branch: 'b'.repeat(101) } },
      'invalid',
      /^body\.branch: a branch is named in 1 to 100 characters without spaces/,
    ],
    [
      'a heartbeat with a sentence for a branch',
      { path: '/v1/presence', body: { session: 's', client: 'x', branch: 'main, run this' } },
      'invalid',
      /^body\.branch: /,
    ],
    [
      'a heartbeat with a sentence for a tool',
      {
        path: '/v1/presence',
        body: { session: 's', client: 'x', prompt: { id: 'p', tool: 'Bash rm', since: new Date(0).toISOString() } },
      },
      'invalid',
      /^body\.prompt\.tool: /,
    ],
    [
      'a heartbeat with the arguments of a tool',
      {
        path: '/v1/presence',
        body: { session: 's', client: 'x', prompt: { id: 'p', since: new Date(0).toISOString(), input: 'rm' } },
      },
      'invalid',
      /^body\.prompt: /,
    ],
    [
      'a heartbeat for another',
      { path: '/v1/presence', body: { session: 's', client: 'x', from: 'target' } },
      'forbidden',
      /'from'/,
    ],
    ['an end of no session', { path: '/v1/presence', method: 'DELETE' }, 'invalid', /^query\.session: /],
    ['a stream for a bad session', { path: '/v1/events?session=a/b' }, 'invalid', /^query\.session: /],
    ['an unknown path', { path: '/v2/messages' }, 'not_found', /no GET/],
    ['an unknown path without a token', { path: '/admin', token: undefined }, 'not_found', /no GET/],
    ['a page that is not there', { path: '/index.html' }, 'not_found', /no GET/],
    ['a wrong method', { path: '/v1/messages', method: 'PUT', body: sendBody() }, 'invalid', /no PUT/],
    ['a slash too many', { path: '/v1/inbox/' }, 'not_found', /no GET/],
    ['capitals in the path', { path: '/V1/inbox' }, 'not_found', /no GET/],
  ])('a request with %s', async (_, request, code, says) => {
    await expectRefused(request, code, says)
  })

  test.each<[string, unknown, ErrorCode, RegExp]>([
    ['a name with a space', { name: 'a b' }, 'invalid', /^body\.name: /],
    ['a name in capitals', { name: 'Sean' }, 'invalid', /^body\.name: /],
    ['a name with a dash first', { name: '-a' }, 'invalid', /^body\.name: /],
    ['a name of 65 characters', { name: 'a'.repeat(65) }, 'invalid', /^body\.name: /],
    ['the reserved name all', { name: 'all' }, 'invalid', /reserved/],
    ['a name with a newline behind it', { name: 'sean\n' }, 'invalid', /^body\.name: /],
    ['a name that is shell', { name: 'a;reboot' }, 'invalid', /^body\.name: /],
    ['an unknown kind', { name: 'sean', kind: 'admin' }, 'invalid', /^body\.kind: /],
    ['an owner who is nobody', { name: 'sean', owner: 'nobody' }, 'not_found', /nobody/],
    ['an owner who is a machine', { name: 'sean', owner: 'target' }, 'not_found', /machine/],
  ])('an invitation with %s', async (_, body, code, says) => {
    await expectRefused({ path: '/v1/admin/invites', token: hub.adminToken, body }, code, says)
  })

  test.each<[string, Record<string, unknown>, ErrorCode, RegExp]>([
    ['a token that is none', { token: 'secret' }, 'invalid', /^body\.token: /],
    ['a token with a typo', { token: `${mintToken('machine').slice(0, -1)}?` }, 'invalid', /^body\.token: /],
    [
      'a token with a wrong checksum',
      { token: mintToken('machine').replace(/.{6}$/, '000000') },
      'invalid',
      /checksum/,
    ],
    ['a code that nobody made', {}, 'unauthorized', /code/],
    ['no code', { code: undefined }, 'invalid', /^body\.code: /],
    ['an endless code', { code: 'A'.repeat(65) }, 'invalid', /^body\.code: /],
  ])('a join with %s', async (_, more, code, says) => {
    const body = { code: 'AAAA-BBBB-CCCC-DDDD', machine: 'target', token: mintToken('machine'), ...more }
    await expectRefused({ path: '/v1/join', token: undefined, body }, code, says)
  })
})

describe('unusual but valid input', () => {
  test.each<[string, string]>([
    ['a zero byte', 'a\0b'],
    ['32 KiB of ASCII', 'x'.repeat(maxBodyBytes)],
    ['32 KiB of three-byte characters', `${'€'.repeat(maxBodyBytes / 3)}é`],
    ['32 KiB that are six times as long escaped', '\u0001'.repeat(maxBodyBytes)],
    ['emoji, right to left and combining marks', '👩‍👩‍👧‍👦 שלום e\u0301 \u202e'],
    ['every kind of line end', 'a\nb\r\nc\rd\u2028e'],
    ['a byte order mark first', '\u{feff}text'],
    ['one letter between spaces', '  x  '],
    ['a frame that looks like ours', 'data: {"event":"inbox"}\n\nid: x:1\n\n'],
    ['a name like a field of objects', '__proto__'],
  ])('a text with %s is returned unchanged', async (_, body) => {
    const { id } = await machine.client.call(api.sendMessage, { body: { to: 'target', body } })
    const { message } = await target.client.call(api.getMessage, { params: { id } })
    expect(message.body === body).toBe(true)
    const [received] = (await target.client.call(api.readInbox)).messages.filter(message => message.id === id)
    expect(received!.body === body).toBe(true)
    await target.client.call(api.ackInbox, { body: { ids: [id] } })
  })

  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
    'Application/JSON',
  ])('content type %s is accepted', async type => {
    const body = JSON.stringify({ to: 'target', body: 'hello' })
    expect(
      await raw(hub, { path: '/v1/messages', token: tokens.machine, headers: { 'content-type': type }, body }),
    ).toMatchObject({
      status: 201,
    })
  })
})

/** Returns the status line and headers of a response that does not end, such as a stream. */
function headOf(request: RawRequest): Promise<RawAnswer> {
  const headers = request.token === undefined ? {} : { authorization: `Bearer ${request.token}` }
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      host: hub.url.hostname,
      port: hub.url.port,
      agent: false,
      path: request.path,
      headers,
    })
    outgoing.on('error', reject)
    outgoing.on('response', response => {
      if (response.statusCode === 200) {
        resolve({ status: 200, headers: response.headers, text: '', json: undefined })
        outgoing.destroy()
      } else resolve(raw(hub, request))
    })
    outgoing.end()
  })
}

/** Returns a token with a correct checksum, which anyone can compute. */
function forge(role: string, id: string, secret: string): string {
  const head = `clnt_${role}_${id}_${secret}`
  const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  const number = createHash('sha256').update(head).digest().readUInt32BE()
  const digits = [5, 4, 3, 2, 1, 0].map(place => base62[Math.floor(number / 62 ** place) % 62])
  return `${head}_${digits.join('')}`
}
