import * as z from 'zod'
import { activityFields, shownActivity } from './activity.ts'
import { BoundTo } from './address-range.ts'
import { HubKey } from './hub-key.ts'
import { MessageId } from './ids.ts'
import { Intent, JoinableKind, MemberKind, SessionId, Timestamp } from './messages.ts'
import { MemberName } from './names.ts'
import { ProjectName, ProjectScope } from './projects.ts'
import { tokenPattern } from './token.ts'

/** One running Claude Code of a machine. `client` is the name and version of its client, by that client's own claim. */
export const Session = z.object({
  session: z.string(),
  client: z.string(),
  since: Timestamp,
  /** Claimed by the machine. */
  project: ProjectName.optional(),
  ...shownActivity,
})
export type Session = z.infer<typeof Session>

/** A project of a machine, as the machine claims: the number of its running sessions, and the last heartbeat of one. */
export const Project = z.object({ name: ProjectName, sessions: z.number().int(), lastSeenAt: Timestamp.nullable() })
export type Project = z.infer<typeof Project>

export const Member = z.object({
  name: z.string(),
  kind: MemberKind,
  owner: z.string().nullable(),
  aliases: z.array(z.string()),
  online: z.boolean(),
  lastSeenAt: Timestamp.nullable(),
  /** For a human: whether the hub forwards their messages to Telegram. */
  telegram: z.boolean().optional(),
  /** The 20 oldest. */
  sessions: z.array(Session),
  /** Total number, if `sessions` does not list all. */
  sessionCount: z.number().int().optional(),
  /** For a machine: last seen first, 20 at most. Absent if there are none, and from older hubs. */
  projects: z.array(Project).optional(),
  /** Total number, if `projects` does not list all. */
  projectCount: z.number().int().optional(),
  /** With `?with=mail`, for members whose messages the caller may see: the number of unread messages, and the time the oldest was sent. */
  unread: z.number().int().optional(),
  oldestUnreadAt: Timestamp.nullable().optional(),
})
export type Member = z.infer<typeof Member>

/** A request of the reader's, and the recipients who have not answered it. */
export const OpenRequest = z.object({
  id: MessageId,
  /** With `?with=mail`: the sender, if that is not the reader. */
  of: z.string().optional(),
  sentAt: Timestamp,
  intent: Intent,
  /** The first characters of its text; empty for an admin. */
  beginning: z.string(),
  waitingFor: z.array(
    z.object({ name: z.string(), project: ProjectName.optional(), status: z.enum(['stored', 'fetched', 'acked']) }),
  ),
})
export type OpenRequest = z.infer<typeof OpenRequest>

/** No messages pass between two machines until the given time; `why` describes the suspected loop. */
export const Brake = z.object({ between: z.tuple([z.string(), z.string()]), until: Timestamp, why: z.string() })

/** A member's token was used from two hosts at once, last at `at`: its files were copied, or it was stolen. */
export const SharedToken = z.object({ member: z.string(), hosts: z.array(z.string()), at: Timestamp })

/** Conditions that need a person's attention: those of the reader; an admin sees all. */
const concerns = {
  brakes: z.array(Brake).default([]),
  sharedTokens: z.array(SharedToken).default([]),
  /** The hub's store is damaged: it accepts no messages, and this response lacks whatever cannot be read. */
  damaged: z.boolean().default(false),
}
export const Concerns = z.object(concerns)
export type Concerns = z.infer<typeof Concerns>

/** A named set of members. */
export const Group = z.object({ name: z.string(), members: z.array(z.string()) })
export type Group = z.infer<typeof Group>

/** Every member by name. `you` and `unread` are those of the reader; null for an admin, who has no inbox. */
export const MembersAnswer = z.object({
  /** Version of the hub, so that outdated clients can be detected. Absent from older hubs. */
  version: z.string().optional(),
  you: z.string().nullable(),
  unread: z.number().int().nullable(),
  members: z.array(Member),
  /** Every group with its members. Absent from older hubs. */
  groups: z.array(Group).optional(),
  ...concerns,
  /**
   * The newest 20 of the last 30 days, newest first; with `?with=mail` those of all members whose messages the reader may see. Empty from
   * hubs without this field.
   */
  openRequests: z.array(OpenRequest).default([]),
})
export type MembersAnswer = z.infer<typeof MembersAnswer>

/**
 * A heartbeat: the session is running. Sent every 5 s; see `silenceMs` in the hub's presence. `project` is the session's project, as
 * claimed by the machine; if it is given, the response counts the messages in its scope.
 */
export const HeartbeatRequest = z.strictObject({
  session: SessionId,
  client: z.string().regex(/^[\x20-\x7e]{1,100}$/, 'the name of a client has 1 to 100 printable ASCII characters'),
  project: ProjectScope.optional(),
  ...activityFields,
})
export type HeartbeatRequest = z.infer<typeof HeartbeatRequest>

/** `version` is the hub's, with which an older client reports that it is outdated. */
export const HeartbeatAnswer = z.object({ unread: z.number().int(), version: z.string().optional() })
export type HeartbeatAnswer = z.infer<typeof HeartbeatAnswer>

export const JoinRequest = z.strictObject({
  code: z.string().min(1).max(64),
  machine: z.string().min(1).max(64),
  token: z.string().regex(tokenPattern, 'not a Claude Net token (clnt_…)'),
})
export const JoinAnswer = z.object({ name: z.string(), kind: MemberKind })

export const InviteRequest = z.strictObject({
  name: MemberName,
  kind: JoinableKind.default('machine'),
  owner: MemberName.optional(),
  /** Ranges from which its tokens may be used; unchanged if absent. */
  from: BoundTo.optional(),
})

/**
 * `renewed` means that the member existed before: its inbox stays, its old token is revoked when the code is used. `hubKey` is the
 * hub's key, for the join line; absent if it has none.
 */
export const InviteAnswer = z.object({
  code: z.string(),
  name: z.string(),
  expiresAt: Timestamp,
  renewed: z.boolean(),
  hubKey: HubKey.optional(),
})
export type InviteAnswer = z.infer<typeof InviteAnswer>

/**
 * Something else responded at `address` in place of the hub: `times` times, last at `at` by the machine's clock, with another key or, if
 * `hubKey` is null, without TLS.
 */
export const WrongHubReport = z.strictObject({
  address: z.string().regex(/^[\x20-\x7e]{1,600}$/),
  hubKey: HubKey.nullable(),
  times: z.number().int().min(1).max(1_000_000_000),
  at: Timestamp,
})
export type WrongHubReport = z.infer<typeof WrongHubReport>

/** A token of a member, as an admin sees it. `id` is its public part. */
const TokenDetails = z.object({
  id: z.string(),
  createdAt: Timestamp,
  /** Time of its last use; saved every minute, so that the last uses before a crash may be missing. */
  lastUsedAt: Timestamp.nullable(),
  /** Time it ends, if known: after a rotation or a renewal, or by its age. */
  endsAt: Timestamp.nullable(),
  /** Whether a newer token has replaced it, so that it is valid only for the overlap. */
  isReplaced: z.boolean(),
})
export type TokenDetails = z.infer<typeof TokenDetails>

export const MemberDetails = Member.extend({
  unread: z.number().int(),
  createdAt: Timestamp,
  joinedAt: Timestamp.nullable(),
  tokenId: z.string().nullable(),
  /** All valid tokens, newest last. Absent from older hubs. */
  tokens: z.array(TokenDetails).default([]),
  /** For a member without a token: the time its last one expired by age. */
  tokenEndedAt: Timestamp.nullable().default(null),
  /** Ranges from which its tokens may be used; empty for any address. */
  boundTo: z.array(z.string()).default([]),
})
export type MemberDetails = z.infer<typeof MemberDetails>
export const MemberDetailsAnswer = z.object({ members: z.array(MemberDetails), ...concerns })
export type MemberDetailsAnswer = z.infer<typeof MemberDetailsAnswer>

/** Absent fields are unchanged. A member that does not exist is created, as `kind`. */
export const MemberChange = z.strictObject({
  kind: JoinableKind.optional(),
  owner: MemberName.nullable().optional(),
})
export const BindRequest = z.strictObject({ ranges: BoundTo })

export const RenewRequest = z.strictObject({ token: JoinRequest.shape.token })

/** `goesOnUntil` is the time until which the calling token stays valid; null if it is the new one itself. */
export const RenewAnswer = z.object({ tokenId: z.string(), goesOnUntil: Timestamp.nullable() })

export const MemberNamed = z.strictObject({ name: MemberName })
export const RenameRequest = z.strictObject({ to: MemberName })

export const GroupsAnswer = z.object({ groups: z.array(Group) })
export const GroupRequest = z.strictObject({ members: z.array(z.string().trim().min(1).max(100)).max(1000) })
export const AliasRequest = z.strictObject({ member: z.string().trim().min(1).max(100) })

/** Policy for incoming messages: `accept` them, `hold` them for the member's user, or `refuse` them. */
export const Inbound = z.enum(['accept', 'hold', 'refuse'])

/** `mute` lists the senders whose messages are stored without an event. */
export const PolicyRequest = z.strictObject({
  inbound: Inbound.optional(),
  mute: z.array(z.string().trim().min(1).max(100)).max(1000).optional(),
})
export const PolicyAnswer = z.object({ inbound: z.string(), mute: z.array(z.string()) })
