import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readHubConfig } from '../src/hub/config/hub-config.ts'
import { databaseFile } from '../src/hub/hub.ts'
import { auditFile } from '../src/hub/reading/audit-lines.ts'
import { type ArgumentOf, type QuestionName, questions } from '../src/hub/reading/questions.ts'
import { type RunningHub, serve } from '../src/hub/serve.ts'
import { Database } from '../src/hub/state/store/database.ts'
import { WordIndex } from '../src/hub/state/words/word-index.ts'
import { api, type RouteName } from '../src/protocol/api.ts'
import { newConsoleSecret } from '../src/protocol/console-secret.ts'
import { newNonce } from '../src/protocol/hub-proof.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { maxImportNames } from '../src/protocol/organization.ts'
import { mintToken } from '../src/protocol/token.ts'
import { type LargeStore, makeLargeStore } from './support/large-store.ts'
import { type RawAnswer, type RawRequest, raw } from './support/raw.ts'
import { countWork } from './support/work.ts'

const dir = mkdtempSync(join(tmpdir(), 'claude-net-worst-inputs-'))
const data = join(dir, 'data')
let store: LargeStore
let running: RunningHub
let hub: { url: URL }
/** A second connection, used to explain query plans. */
let explain: DatabaseSync
let desk: { db: Database; words: WordIndex; audit: Database }
const tokens = { machine: '', human: '', admin: '' }

beforeAll(async () => {
  store = makeLargeStore(data)
  const config = { ...readHubConfig({ data, host: '127.0.0.1', port: 0 }), limits: null }
  running = await serve(config, { log: pino({ level: 'silent' }), onFatal: () => {} })
  hub = { url: new URL(running.url) }
  Object.assign(tokens, store, { admin: readFileSync(join(data, 'admin.token'), 'utf8').trim() })
  explain = new DatabaseSync(join(data, databaseFile), { readOnly: true })
  explain.exec(`attach '${join(data, auditFile)}' as audit`)
  const db = new Database(join(data, databaseFile), 'reader')
  desk = { db, words: new WordIndex(join(dir, 'words.db'), db), audit: new Database(join(data, auditFile), 'reader') }
  desk.db.addCheck('in_time', () => {})
}, 120_000)
afterAll(async () => {
  desk?.words.close()
  explain?.close()
  await running?.close()
  rmSync(dir, { recursive: true, force: true })
})

const names = (letter: string, from: number, count: number) =>
  Array.from({ length: count }, (_, n) => `${letter}${from + n}`)
/** Each character except the last takes six as JSON. */
const longest = `${'\u0001'.repeat(32 * 1024 - 1)}x`

/** Maximum cost of a route. */
interface Cost {
  /** Number of statements run and rows read by the main thread between two turns of the event loop. */
  atOnce: number
  /** Size of the response. */
  bytes: number
  /** Default 200. */
  status?: number
}
type Worst = readonly [cost: Cost, request: () => RawRequest]

const renewed = mintToken('machine')

const kib = 1024
const page = 1024 * kib
/** Bound for requests whose cost does not grow with the store. The hub's own indexing, 500 rows at a time, may interleave. */
const little: Cost = { atOnce: 1000, bytes: 4 * kib }
/** Bound for requests that look up something about each of 2,000 members. */
const ofMembers: Cost = { atOnce: 8000, bytes: page }

/** The most expensive request of each route and its maximum cost, or the reason why there is none. A new route must be added here. */
const worst: Record<RouteName, Worst | string> = {
  health: [little, () => ({ path: '/healthz' })],
  ready: [little, () => ({ path: '/readyz' })],
  metrics: [ofMembers, () => ({ path: '/metrics', token: tokens.admin })],
  openapi: [{ ...little, bytes: 256 * kib }, () => ({ path: '/openapi.json' })],
  join: [
    little,
    () => ({ path: '/v1/join', body: { code: store.code, machine: 'newcomer', token: mintToken('machine') } }),
  ],
  joinScript: [{ ...little, bytes: 16 * kib }, () => ({ path: `/join/${store.code}?via=${'x'.repeat(60)}` })],
  clientFile: [{ ...little, bytes: page }, () => ({ path: '/client/claude-net.mjs' })],
  hubKey: [little, () => ({ path: '/hub-key.json' })],
  consolePage: [little, () => ({ path: '/' })],
  consoleFile: [little, () => ({ path: '/console/icon.svg' })],
  clientInfo: [little, () => ({ path: '/client/claude-net.json' })],
  proveHub: [
    { ...little, status: 400 },
    () => ({ path: '/v1/proof', body: { tokenId: 'abcdefgh', nonce: newNonce() } }),
  ],
  sendMessage: [
    { atOnce: 12_000, bytes: 512 * kib, status: 201 },
    () => ({
      path: '/v1/messages',
      token: tokens.machine,
      body: { to: [...names('g', 1, 99), 'all'], body: longest, replyTo: store.unread[99] },
    }),
  ],
  getMessage: [{ ...little, bytes: 512 * kib }, () => ({ path: `/v1/messages/${store.toAll}`, token: tokens.machine })],
  listMessages: [
    { ...little, bytes: 2 * page },
    () => ({ path: `/v1/messages?before=${store.afterLong}`, token: tokens.machine }),
  ],
  charts: [{ ...ofMembers, bytes: 16 * kib }, () => ({ path: '/v1/charts?hours=720', token: tokens.human })],
  // The token belongs to the owner of every machine.
  listConversations: [{ ...little, bytes: 256 * kib }, () => ({ path: '/v1/conversations', token: tokens.human })],
  // Reads a page of 100, and the next 1,000, among which newer messages of the same senders are counted.
  readInbox: [{ atOnce: 1200, bytes: page }, () => ({ path: '/v1/inbox', token: tokens.machine })],
  listLater: [{ ...little, bytes: page }, () => ({ path: '/v1/later', token: tokens.machine })],
  cancelLater: [
    { ...little, status: 404 },
    () => ({ path: `/v1/later/${newMessageId()}`, method: 'DELETE', token: tokens.machine }),
  ],
  markFetched: [
    little,
    () => ({ path: '/v1/inbox/fetched', token: tokens.machine, body: { ids: store.unread, session: 's' } }),
  ],
  markTold: [
    little,
    () => ({ path: '/v1/inbox/told', token: tokens.machine, body: { ids: store.unread, session: 's', how: 'hook' } }),
  ],
  ackInbox: [little, () => ({ path: '/v1/inbox/ack', token: tokens.machine, body: { ids: store.unread } })],
  listMachines: [{ ...ofMembers, bytes: 1.25 * page }, () => ({ path: '/v1/machines?with=mail', token: tokens.human })],
  putPolicy: [
    { ...ofMembers, bytes: 16 * kib },
    () => ({ path: '/v1/me', method: 'PUT', token: tokens.machine, body: { mute: names('also-m', 100, 1000) } }),
  ],
  getMemberPolicy: [{ ...little, bytes: 16 * kib }, () => ({ path: '/v1/members/m1/policy', token: tokens.admin })],
  putMemberPolicy: [
    { ...ofMembers, bytes: 16 * kib },
    () => ({
      path: '/v1/members/m5/policy',
      method: 'PUT',
      token: tokens.admin,
      body: { mute: names('also-m', 100, 1000) },
    }),
  ],
  renewToken: [little, () => ({ path: '/v1/token', token: tokens.machine, body: { token: renewed } })],
  reportWrongHub: [
    little,
    () => ({
      path: '/v1/wrong-hubs',
      token: tokens.machine,
      body: { address: 'x'.repeat(600), hubKey: null, times: 1_000_000_000, at: new Date().toISOString() },
    }),
  ],
  heartbeat: [
    little,
    () => ({
      path: '/v1/presence',
      token: tokens.machine,
      body: {
        session: 's',
        client: 'x'.repeat(100),
        branch: '\u{1f600}'.repeat(100),
        busySince: new Date().toISOString(),
        status: '\u{1f600}'.repeat(100),
        statusSetAt: new Date().toISOString(),
        prompt: { id: 'p'.repeat(64), tool: 't'.repeat(100), since: new Date().toISOString() },
      },
    }),
  ],
  endSession: [little, () => ({ path: '/v1/presence?session=s', method: 'DELETE', token: tokens.machine })],
  events: [
    { ...little, bytes: 2 * page },
    () => ({ path: '/v1/events', token: tokens.machine, headers: { 'last-event-id': store.start } }),
  ],
  mcp: [
    { atOnce: ofMembers.atOnce, bytes: 4 * page },
    () => ({
      path: '/mcp',
      token: tokens.machine,
      headers: { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-03-26' },
      // Up to 100 are allowed; each is executed in a turn of its own.
      body: Array.from({ length: 20 }, (_, id) => ({
        jsonrpc: '2.0',
        id,
        method: 'tools/call',
        params: { name: 'claude_net_machines', arguments: {} },
      })),
    }),
  ],
  invite: [
    { ...little, status: 201 },
    () => ({ path: '/v1/admin/invites', token: tokens.admin, body: { name: 'm1', owner: 'h1' } }),
  ],
  addresses: [little, () => ({ path: '/v1/admin/addresses', token: tokens.admin })],
  listHubs: [little, () => ({ path: '/v1/hubs', token: tokens.admin })],
  hubSnapshot: [{ ...little, status: 404 }, () => ({ path: '/v1/hubs/snapshot' })],
  forgetHub: [{ ...little, status: 404 }, () => ({ path: '/v1/hubs/none', method: 'DELETE', token: tokens.admin })],
  listMembers: [ofMembers, () => ({ path: '/v1/admin/members', token: tokens.admin })],
  putMember: [
    little,
    () => ({ path: '/v1/admin/members/m1', method: 'PUT', token: tokens.admin, body: { owner: 'h1' } }),
  ],
  deleteMember: [little, () => ({ path: '/v1/admin/members/m2', method: 'DELETE', token: tokens.admin })],
  renameMember: [little, () => ({ path: '/v1/admin/members/m3/rename', token: tokens.admin, body: { to: 'm3x' } })],
  revokeMember: [little, () => ({ path: '/v1/admin/members/m4/revoke', method: 'POST', token: tokens.admin })],
  rotateMember: [
    { ...little, status: 201 },
    () => ({ path: '/v1/admin/members/m5/rotate', method: 'POST', token: tokens.admin }),
  ],
  bindMember: [
    little,
    () => ({
      path: '/v1/admin/members/m5/from',
      method: 'PUT',
      token: tokens.admin,
      body: { ranges: names('10.0.0.', 1, 32) },
    }),
  ],
  putAlias: [
    little,
    () => ({ path: '/v1/admin/aliases/more', method: 'PUT', token: tokens.admin, body: { member: 'm6' } }),
  ],
  deleteAlias: [little, () => ({ path: '/v1/admin/aliases/also-m6', method: 'DELETE', token: tokens.admin })],
  liftBrake: [little, () => ({ path: '/v1/admin/brakes/m7/lift', token: tokens.admin, body: { member: 'm8' } })],
  listGroups: [ofMembers, () => ({ path: '/v1/admin/groups', token: tokens.admin })],
  putGroup: [
    { ...ofMembers, bytes: 16 * kib },
    () => ({
      path: '/v1/admin/groups/large',
      method: 'PUT',
      token: tokens.admin,
      body: { members: names('also-m', 100, 1000) },
    }),
  ],
  deleteGroup: [little, () => ({ path: '/v1/admin/groups/g0', method: 'DELETE', token: tokens.admin })],
  importOrganization: [
    { atOnce: 7 * maxImportNames + 100, bytes: 64 * kib },
    () => ({
      path: '/v1/admin/import',
      token: tokens.admin,
      body: { machines: Object.fromEntries(names('n', 0, maxImportNames).map(name => [name, {}])) },
    }),
  ],
  receiveWebhook: [{ ...little, status: 201 }, () => ({ path: store.webhook, body: { text: 'x'.repeat(1_000_000) } })],
  testWebhook: [
    { ...little, bytes: 16 * kib },
    () => ({ path: '/v1/admin/webhooks/hook/test', method: 'POST', token: tokens.admin }),
  ],
  addWebhook: [
    { ...little, status: 201 },
    () => ({
      path: '/v1/admin/webhooks',
      token: tokens.admin,
      body: {
        name: 'another',
        source: 'generic',
        to: names('also-m', 100, 20),
        template: `{{line}}${'x'.repeat(1990)}`,
      },
    }),
  ],
  listWebhooks: [{ ...ofMembers, bytes: 64 * kib }, () => ({ path: '/v1/admin/webhooks', token: tokens.admin })],
  changeWebhook: [
    little,
    () => ({
      path: '/v1/admin/webhooks/hook',
      method: 'PUT',
      token: tokens.admin,
      body: { to: names('also-m', 100, 20) },
    }),
  ],
  rotateWebhook: [
    { ...little, status: 201 },
    () => ({ path: '/v1/admin/webhooks/hook/rotate', method: 'POST', token: tokens.admin }),
  ],
  deleteWebhook: [little, () => ({ path: '/v1/admin/webhooks/hook', method: 'DELETE', token: tokens.admin })],
  status: [{ ...ofMembers, bytes: 16 * kib }, () => ({ path: '/v1/admin/status', token: tokens.admin })],
  listAudit: [{ ...little, bytes: 64 * kib }, () => ({ path: '/v1/admin/audit', token: tokens.admin })],
  getKey: [little, () => ({ path: '/v1/admin/key', token: tokens.admin })],
  rotateKey: [
    { ...ofMembers, bytes: 128 * kib },
    () => ({ path: '/v1/admin/key/rotate', token: tokens.admin, body: { compromised: true } }),
  ],
  getSettings: [little, () => ({ path: '/v1/admin/settings', token: tokens.admin })],
  putSettings: [
    little,
    () => ({ path: '/v1/admin/settings', method: 'PUT', token: tokens.admin, body: { inboxMessages: 100 } }),
  ],
  makeBackup: 'another process makes it',
  telegramStatus: [little, () => ({ path: '/v1/admin/telegram', token: tokens.admin })],
  telegramCheck: [little, () => ({ path: '/v1/admin/telegram/check', token: tokens.admin })],
  consoleLink: [
    { ...little, status: 201 },
    () => ({ path: '/v1/console/links', token: tokens.admin, body: { for: 'm1299' } }),
  ],
  consoleLogin: [
    { ...little, status: 401 },
    () => ({
      path: '/v1/console/login',
      headers: { origin: hub.url.origin },
      body: { secret: newConsoleSecret() },
    }),
  ],
  getConsole: 'it asks a browser, and for one row',
  consoleLogout: 'it asks a browser, and for one row',
  consoleSessions: [little, () => ({ path: '/v1/console/sessions', token: tokens.admin })],
  consoleRevoke: [little, () => ({ path: '/v1/console/sessions/all', method: 'DELETE', token: tokens.admin })],
  telegramConfirm: [
    { ...little, status: 404 },
    () => ({ path: '/v1/admin/telegram/people/h1', method: 'PUT', token: tokens.admin, body: { userId: 1 } }),
  ],
  addOutgoing: [
    { ...little, status: 201 },
    () => ({
      path: '/v1/admin/outgoing',
      token: tokens.admin,
      body: { name: 'out', url: 'http://127.0.0.1:9/', on: Array(20).fill('refused and from m1 and to m0') },
    }),
  ],
  listOutgoing: [{ ...little, bytes: 16 * kib }, () => ({ path: '/v1/admin/outgoing', token: tokens.admin })],
  testOutgoing: [little, () => ({ path: '/v1/admin/outgoing/out/test', method: 'POST', token: tokens.admin })],
  rotateOutgoing: [little, () => ({ path: '/v1/admin/outgoing/out/rotate', method: 'POST', token: tokens.admin })],
  listDead: [little, () => ({ path: '/v1/admin/outgoing/out/dead', token: tokens.admin })],
  retryDead: [
    { ...little, status: 404 },
    () => ({ path: '/v1/admin/outgoing/out/dead/some/retry', method: 'POST', token: tokens.admin }),
  ],
  retryAllDead: [little, () => ({ path: '/v1/admin/outgoing/out/dead/retry', method: 'POST', token: tokens.admin })],
  dropDead: [little, () => ({ path: '/v1/admin/outgoing/out/dead', method: 'DELETE', token: tokens.admin })],
  deleteOutgoing: [little, () => ({ path: '/v1/admin/outgoing/out', method: 'DELETE', token: tokens.admin })],
}

/** Tables that grow with the number of messages: the main thread never scans one completely. */
const growing = 'message|delivery|delivery_by_seq|unread|sent|received|answer'

test.each(Object.keys(api) as RouteName[])('%s stays within its bound for its costliest input', async name => {
  const entry = worst[name]
  if (typeof entry === 'string') return
  const [{ atOnce, bytes, status = 200 }, make] = entry
  const request = make()
  const { work, result } = await countWork(() => (name === 'events' ? upToReady(request) : raw(hub, request)))
  expect(result.status, result.text.slice(0, 500)).toBe(status)
  expect(Buffer.byteLength(result.text)).toBeLessThanOrEqual(bytes)
  expect(work.atOnce).toBeLessThanOrEqual(atOnce)
  expect([...work.texts].filter(readsAll)).toEqual([])
})

/** Reports whether a statement scans all of a table that grows. */
function readsAll(sql: string): boolean {
  if (!/^\s*(select|insert|update|delete)/.test(sql)) return false
  const aliases = [...sql.matchAll(new RegExp(`\\b(?:from|join) (?:${growing}) ([a-z])\\b`, 'g'))].map(
    ([, alias]) => alias,
  )
  const scan = new RegExp(`^SCAN (?:${[growing, ...aliases].join('|')})\\b`)
  return explain
    .prepare(`explain query plan ${sql}`)
    .all()
    .some(({ detail }) => scan.test(String(detail)))
}

/**
 * The worst case of each question to the reading thread, with its maximum number of statements and rows. All but the search stay far below.
 */
const worstQuestions: { [Name in QuestionName]: [most: number, argument: () => ArgumentOf<Name>] } = {
  // Before anything is indexed, every text of the reader is scanned.
  history: [
    50_000,
    () => ({ viewer: { member: store.reader, readsTexts: false }, q: 'ba bab wor que', before: 1e9, limit: 100 }),
  ],
  message: [4000, () => ({ viewer: { member: store.reader, readsTexts: false }, id: store.toAll })],
  conversations: [400_000, () => ({ viewer: { member: 0, readsTexts: true }, limit: 100, now: Date.now() })],
  unreadAndRequests: [60_000, () => ({ viewer: { member: 0, readsTexts: true }, now: Date.now() })],
  charts: [200_000, () => ({ viewer: { member: store.owner, readsTexts: false }, hours: 720, now: Date.now() })],
  openRequests: [8000, () => ({ sender: store.reader, now: Date.now() })],
  audit: [300, () => ({ limit: 100, actor: 'admin' })],
  index: [2000, () => undefined],
}

test.each(Object.keys(questions) as QuestionName[])('the question %s stays within its bounds', async name => {
  const [most, argument] = worstQuestions[name]
  const work = await countWork(() =>
    questions[name]({ ...desk, audit: () => desk.audit, check: () => {} }, argument() as never),
  )
  expect(work.work.atOnce).toBeLessThanOrEqual(most)
})

test('metrics are gathered once for all concurrent requests without a token', async () => {
  const ask = () => raw(hub, { path: '/metrics' })
  const { work } = await countWork(() => Promise.all(Array.from({ length: 20 }, ask)))
  expect(work.rows).toBeLessThan(10 * store.members)
})

test('an import of more names than allowed at once is refused, with the number of names', async () => {
  const machines = Object.fromEntries(names('x', 0, 2500).map(name => [name, { aliases: [`y${name}`] }]))
  const body = { machines, groups: { one: [] } }
  const { status, text } = await raw(hub, { path: '/v1/admin/import', token: tokens.admin, body })
  expect([status, text]).toEqual([400, expect.stringContaining(`more than ${maxImportNames} names`)])
})

/** Returns the events of a stream up to the end of its backlog. */
async function upToReady({ path, token, headers }: RawRequest): Promise<RawAnswer> {
  const response = await fetch(new URL(path, hub.url), { headers: { ...headers, authorization: `Bearer ${token}` } })
  let text = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.includes('event: ready')) break
  }
  return { status: response.status, headers: {}, text, json: undefined }
}
