import * as z from 'zod'
import { AuditAnswer, AuditQuery } from './audit.ts'
import { BackupReport } from './backup.ts'
import { ProofAnswer, ProofRequest } from './hub-proof.ts'
import { MessageId } from './ids.ts'
import { KeyAnswer, KeyChain, RotateKeyAnswer, RotateKeyRequest } from './key-chain.ts'
import {
  AliasRequest,
  BindRequest,
  GroupRequest,
  GroupsAnswer,
  HeartbeatAnswer,
  HeartbeatRequest,
  InviteAnswer,
  InviteRequest,
  JoinAnswer,
  JoinRequest,
  MemberChange,
  MemberDetailsAnswer,
  MemberNamed,
  MembersAnswer,
  PolicyAnswer,
  PolicyRequest,
  RenameRequest,
  RenewAnswer,
  RenewRequest,
  WrongHubReport,
} from './members.ts'
import {
  AckAnswer,
  AckRequest,
  FetchedRequest,
  HistoryAnswer,
  HistoryQuery,
  InboxAnswer,
  LaterAnswer,
  MessageWithReceipts,
  maxPage,
  SendAnswer,
  SendRequest,
  SessionId,
  ToldRequest,
} from './messages.ts'
import { ImportAnswer, Organization } from './organization.ts'
import { ProjectScope } from './projects.ts'
import { Settings, SettingsChange } from './settings.ts'
import { SshHost } from './ssh-host.ts'
import { StatusAnswer } from './status.ts'
import { TelegramCheckAnswer, TelegramConfirm, TelegramConfirmed, TelegramStatus } from './telegram.ts'
import type { Role } from './token.ts'

/** Who may call a route: a list of roles, or everyone, without a token. */
export type Audience = readonly Role[] | 'public'

/** One route: how it is called, by whom, and the schemas of what goes in and comes out. Both sides parse by them. */
export interface Route<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Answer extends z.ZodType = z.ZodType,
> {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** A path parameter is written `:name`. */
  path: string
  summary: string
  audience: Audience
  /** A public route that tells more to whoever shows a token. A token that is shown must be good. */
  takesToken?: true
  params: Params
  query: Query
  /** `undefined` in a request without a body. */
  body: Body
  /** The JSON of a 2xx answer, or the media type of one that is not JSON. */
  answer: Answer | string
  /** The statuses of a 2xx answer; 200 alone where this is left out. */
  statuses?: readonly number[]
}

const nothing = z.undefined()
const noFields = z.strictObject({})
type Nothing = typeof nothing
type NoFields = typeof noFields

/** Fills in what a route leaves out, keeping the exact schema types for both sides. */
function route<
  Answer extends z.ZodType,
  Params extends z.ZodType = NoFields,
  Query extends z.ZodType = NoFields,
  Body extends z.ZodType = Nothing,
>(
  from: Pick<Route, 'method' | 'path' | 'summary' | 'audience' | 'takesToken' | 'statuses'> & {
    params?: Params
    query?: Query
    body?: Body
    answer: Answer | string
  },
): Route<Params, Query, Body, Answer> {
  return {
    ...from,
    params: from.params ?? (noFields as unknown as Params),
    query: from.query ?? (noFields as unknown as Query),
    body: from.body ?? (nothing as unknown as Body),
  }
}

const members = ['machine', 'human'] as const
const admins = ['admin'] as const
const anyToken = ['machine', 'human', 'admin'] as const

const limit = z.coerce.number().int().min(1).max(maxPage).default(maxPage)

/** Every route of the hub. Server, client and tests are made from this table; a route that is not here does not exist. */
export const api = {
  health: route({
    method: 'GET',
    path: '/healthz',
    summary: 'The program runs',
    audience: 'public',
    answer: z.object({
      ok: z.literal(true),
      program: z.literal('claude-net'),
      version: z.string(),
      // Absent in hubs from before there was a second client.
      protocol: z.number().int().optional(),
      oldestProtocol: z.number().int().optional(),
    }),
  }),
  ready: route({
    method: 'GET',
    path: '/readyz',
    summary: 'The store accepts writes',
    audience: 'public',
    answer: z.object({ ready: z.literal(true) }),
  }),
  metrics: route({
    method: 'GET',
    path: '/metrics',
    summary: 'What an operator watches, in the text format of Prometheus; counts by member only with a token',
    audience: 'public',
    takesToken: true,
    answer: 'text/plain; version=0.0.4; charset=utf-8',
  }),
  openapi: route({
    method: 'GET',
    path: '/openapi.json',
    summary: 'This contract, as OpenAPI 3.1',
    audience: 'public',
    answer: z.looseObject({ openapi: z.string() }),
  }),
  join: route({
    method: 'POST',
    path: '/v1/join',
    summary: 'Exchange a one-time code for a token that the caller has minted and saved',
    audience: 'public',
    body: JoinRequest,
    answer: JoinAnswer,
  }),
  joinScript: route({
    method: 'GET',
    path: '/join/:code',
    summary: 'The shell script that makes this machine a member; consumes nothing',
    audience: 'public',
    params: z.strictObject({ code: z.string().min(1).max(64) }),
    query: z.strictObject({ via: SshHost.optional().describe('where the new machine goes by ssh to reach the hub') }),
    answer: 'text/x-shellscript; charset=utf-8',
  }),
  clientFile: route({
    method: 'GET',
    path: '/client/claude-net.mjs',
    summary: "The machine's side, one file",
    audience: 'public',
    answer: 'text/javascript; charset=utf-8',
  }),
  hubKey: route({
    method: 'GET',
    path: '/hub-key.json',
    summary: "The hub's key, and the signed chain that leads to it from earlier ones",
    audience: 'public',
    answer: KeyChain,
  }),
  clientInfo: route({
    method: 'GET',
    path: '/client/claude-net.json',
    summary: "The version, size and SHA-256 of the machine's side, for machines that update",
    audience: 'public',
    answer: z.object({
      version: z.string(),
      bytes: z.number().int(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  }),
  proveHub: route({
    method: 'POST',
    path: '/v1/proof',
    summary: 'Over TLS: the hub shows to the holder of a token, without being shown it, that it knows that token',
    audience: 'public',
    body: ProofRequest,
    answer: ProofAnswer,
  }),
  sendMessage: route({
    method: 'POST',
    path: '/v1/messages',
    summary: 'Send a message; 201 when stored, 200 when this id was stored before',
    audience: members,
    body: SendRequest,
    answer: SendAnswer,
    statuses: [201, 200],
  }),
  getMessage: route({
    method: 'GET',
    path: '/v1/messages/:id',
    summary: 'One message with its receipts, for its sender and its recipients',
    audience: members,
    params: z.strictObject({ id: MessageId }),
    answer: MessageWithReceipts,
  }),
  listMessages: route({
    method: 'GET',
    path: '/v1/messages',
    summary: 'Own history, newest first, with receipts; searched by words',
    audience: members,
    query: HistoryQuery,
    answer: HistoryAnswer,
  }),
  listLater: route({
    method: 'GET',
    path: '/v1/later',
    summary: 'Own later mail that is not delivered yet, by when it is due',
    audience: members,
    answer: LaterAnswer,
  }),
  cancelLater: route({
    method: 'DELETE',
    path: '/v1/later/:id',
    summary: 'Cancel later mail that is not delivered yet; idempotent',
    audience: members,
    params: z.strictObject({ id: MessageId }),
    answer: z.object({ id: MessageId, cancelled: z.literal(true) }),
  }),
  readInbox: route({
    method: 'GET',
    path: '/v1/inbox',
    summary: 'Unread messages, oldest first; reading consumes nothing',
    audience: members,
    query: z.strictObject({
      limit,
      after: z.string().max(64).optional(),
      /** Cut every text to its first so many characters: for those who only want to know what there is. */
      preview: z.coerce.number().int().min(1).max(1000).optional(),
      project: ProjectScope.optional(),
    }),
    answer: InboxAnswer,
  }),
  markFetched: route({
    method: 'POST',
    path: '/v1/inbox/fetched',
    summary: 'A session was really given these messages',
    audience: members,
    body: FetchedRequest,
    answer: z.object({ fetched: z.array(MessageId), unknown: z.array(MessageId) }),
  }),
  markTold: route({
    method: 'POST',
    path: '/v1/inbox/told',
    summary: 'A session was told that there are these messages; the first report of each counts',
    audience: members,
    body: ToldRequest,
    answer: z.object({ told: z.number().int() }),
  }),
  ackInbox: route({
    method: 'POST',
    path: '/v1/inbox/ack',
    summary: 'These messages are read; idempotent',
    audience: members,
    body: AckRequest,
    answer: AckAnswer,
  }),
  listMachines: route({
    method: 'GET',
    path: '/v1/machines',
    summary: 'Every member and who is online',
    audience: anyToken,
    answer: MembersAnswer,
  }),
  putPolicy: route({
    method: 'PUT',
    path: '/v1/me',
    summary: 'What the caller does with mail; what is left out stays',
    audience: members,
    body: PolicyRequest,
    answer: PolicyAnswer,
  }),
  renewToken: route({
    method: 'POST',
    path: '/v1/token',
    summary:
      'Put a token that the caller has minted and saved in the place of the one that asks, which goes on for a while',
    audience: members,
    body: RenewRequest,
    answer: RenewAnswer,
  }),
  reportWrongHub: route({
    method: 'POST',
    path: '/v1/wrong-hubs',
    summary: "Something else answered in the hub's place and was told nothing; the hub notes it in its audit",
    audience: members,
    body: WrongHubReport,
    answer: z.object({}),
  }),
  heartbeat: route({
    method: 'POST',
    path: '/v1/presence',
    summary: 'This session lives; repeat every 5 s',
    audience: members,
    body: HeartbeatRequest,
    answer: HeartbeatAnswer,
  }),
  endSession: route({
    method: 'DELETE',
    path: '/v1/presence',
    summary: 'This session has ended',
    audience: members,
    query: z.strictObject({ session: SessionId }),
    answer: z.object({ ended: z.boolean() }),
  }),
  events: route({
    method: 'GET',
    path: '/v1/events',
    summary: 'Server-sent events: inbox, receipt, presence; resumed by Last-Event-ID',
    audience: members,
    query: z.strictObject({
      session: SessionId.optional(),
      with: z.literal('delivery').optional(),
      project: ProjectScope.optional(),
    }),
    answer: 'text/event-stream',
  }),
  mcp: route({
    method: 'POST',
    path: '/mcp',
    summary:
      'Streamable HTTP of the Model Context Protocol, with the tools of a session of its own; no stream stays open',
    audience: members,
    body: z.unknown(),
    answer: z.unknown(),
    statuses: [200, 202],
  }),
  invite: route({
    method: 'POST',
    path: '/v1/admin/invites',
    summary: 'Make a member, or renew one, and a one-time code to join as it',
    audience: admins,
    body: InviteRequest,
    answer: InviteAnswer,
    statuses: [201],
  }),
  listMembers: route({
    method: 'GET',
    path: '/v1/admin/members',
    summary: 'Every member with what only an admin may see',
    audience: admins,
    answer: MemberDetailsAnswer,
  }),
  putMember: route({
    method: 'PUT',
    path: '/v1/admin/members/:name',
    summary: 'Make a member, or change whose it is',
    audience: admins,
    params: MemberNamed,
    body: MemberChange,
    answer: z.object({ name: z.string(), added: z.boolean() }),
  }),
  deleteMember: route({
    method: 'DELETE',
    path: '/v1/admin/members/:name',
    summary: 'Take a member away; what it had not read expires',
    audience: admins,
    params: MemberNamed,
    answer: z.object({ name: z.string(), expired: z.number().int() }),
  }),
  renameMember: route({
    method: 'POST',
    path: '/v1/admin/members/:name/rename',
    summary: 'Give a member another name; its inbox and token stay',
    audience: admins,
    params: MemberNamed,
    body: RenameRequest,
    answer: z.object({ name: z.string() }),
  }),
  revokeMember: route({
    method: 'POST',
    path: '/v1/admin/members/:name/revoke',
    summary: 'End every token of a member at once',
    audience: admins,
    params: MemberNamed,
    answer: z.object({ name: z.string(), revoked: z.number().int(), later: z.number().int().optional() }),
  }),
  rotateMember: route({
    method: 'POST',
    path: '/v1/admin/members/:name/rotate',
    summary: 'A one-time code for a new token; the old one goes on for 10 minutes after',
    audience: admins,
    params: MemberNamed,
    answer: InviteAnswer,
    statuses: [201],
  }),
  bindMember: route({
    method: 'PUT',
    path: '/v1/admin/members/:name/from',
    summary: "Say from which ranges of addresses a member's tokens may be used; none is anywhere",
    audience: admins,
    params: MemberNamed,
    body: BindRequest,
    answer: z.object({ name: z.string(), ranges: z.array(z.string()) }),
  }),
  putAlias: route({
    method: 'PUT',
    path: '/v1/admin/aliases/:name',
    summary: 'Another name for a member',
    audience: admins,
    params: MemberNamed,
    body: AliasRequest,
    answer: z.object({ alias: z.string(), member: z.string() }),
  }),
  deleteAlias: route({
    method: 'DELETE',
    path: '/v1/admin/aliases/:name',
    summary: 'Take an alias away',
    audience: admins,
    params: MemberNamed,
    answer: z.object({ alias: z.string(), member: z.string() }),
  }),
  liftBrake: route({
    method: 'POST',
    path: '/v1/admin/brakes/:name/lift',
    summary: 'Let mail pass again between this member and another; their messages are counted anew',
    audience: admins,
    params: MemberNamed,
    body: z.strictObject({ member: MemberNamed.shape.name }),
    answer: z.object({ between: z.array(z.string()), lifted: z.boolean() }),
  }),
  listGroups: route({
    method: 'GET',
    path: '/v1/admin/groups',
    summary: 'Every group with its members',
    audience: admins,
    answer: GroupsAnswer,
  }),
  putGroup: route({
    method: 'PUT',
    path: '/v1/admin/groups/:name',
    summary: 'Make a group, or give it other members',
    audience: admins,
    params: MemberNamed,
    body: GroupRequest,
    answer: z.object({ group: z.string(), members: z.array(z.string()) }),
  }),
  deleteGroup: route({
    method: 'DELETE',
    path: '/v1/admin/groups/:name',
    summary: 'Take a group away; its members stay',
    audience: admins,
    params: MemberNamed,
    answer: z.object({ group: z.string() }),
  }),
  importOrganization: route({
    method: 'POST',
    path: '/v1/admin/import',
    summary: 'Make members, owners, aliases and groups: all of them, or none',
    audience: admins,
    body: Organization,
    answer: ImportAnswer,
  }),
  getKey: route({
    method: 'GET',
    path: '/v1/admin/key',
    summary: "The hub's key, when it was made, and the chain of those before it",
    audience: admins,
    answer: KeyAnswer,
  }),
  rotateKey: route({
    method: 'POST',
    path: '/v1/admin/key/rotate',
    summary: 'Give the hub a new key; the old one vouches for it, unless it is compromised',
    audience: admins,
    body: RotateKeyRequest,
    answer: RotateKeyAnswer,
  }),
  status: route({
    method: 'GET',
    path: '/v1/admin/status',
    summary: 'How the hub is: store, backup, members, clients that are behind, what waits',
    audience: admins,
    answer: StatusAnswer,
  }),
  listAudit: route({
    method: 'GET',
    path: '/v1/admin/audit',
    summary: 'Who did what to whom, newest first',
    audience: admins,
    query: AuditQuery,
    answer: AuditAnswer,
  }),
  getSettings: route({
    method: 'GET',
    path: '/v1/admin/settings',
    summary: 'What the hub keeps, and for how long',
    audience: admins,
    answer: Settings,
  }),
  putSettings: route({
    method: 'PUT',
    path: '/v1/admin/settings',
    summary: 'Change settings; what is left out stays',
    audience: admins,
    body: SettingsChange,
    answer: Settings,
  }),
  makeBackup: route({
    method: 'POST',
    path: '/v1/admin/backup',
    summary: 'Back up the running hub, on its host; answers once the copy was read and found good',
    audience: admins,
    answer: BackupReport,
    statuses: [201],
  }),
  telegramStatus: route({
    method: 'GET',
    path: '/v1/admin/telegram',
    summary: 'How the bridge to Telegram fares, and who its people are',
    audience: admins,
    answer: TelegramStatus,
  }),
  telegramCheck: route({
    method: 'GET',
    path: '/v1/admin/telegram/check',
    summary: 'Asks Telegram about token, group, rights and privacy mode',
    audience: admins,
    answer: TelegramCheckAnswer,
  }),
  telegramConfirm: route({
    method: 'PUT',
    path: '/v1/admin/telegram/people/:name',
    summary: 'Say which Telegram user a human is, of those seen in the group; null forgets it',
    audience: admins,
    params: MemberNamed,
    body: TelegramConfirm,
    answer: TelegramConfirmed,
  }),
} as const

/** A route by its key in the table. */
export type RouteName = keyof typeof api

/** What a handler gets: checked, with defaults. */
export type Parsed<R extends Route> = {
  params: z.output<R['params']>
  query: z.output<R['query']>
  body: z.output<R['body']>
}
/** What a caller gives: before defaults and coercion. */
export type RequestOf<R extends Route> = {
  params?: z.input<R['params']>
  query?: z.input<R['query']>
  body?: z.input<R['body']>
}
/** The body of a route's 2xx. */
export type AnswerOf<R> = R extends Route<z.ZodType, z.ZodType, z.ZodType, infer Answer> ? z.output<Answer> : never
