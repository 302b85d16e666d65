import * as z from 'zod'
import { activityFields, shownActivity } from './activity.ts'
import { BoundTo } from './address-range.ts'
import { HubKey } from './hub-key.ts'
import { MessageId } from './ids.ts'
import { Intent, JoinableKind, MemberKind, SessionId, Timestamp } from './messages.ts'
import { MemberName } from './names.ts'
import { ProjectName, ProjectScope } from './projects.ts'
import { tokenPattern } from './token.ts'

/** One live Claude Code attached to a machine. `client` names the program and version that speaks for it, as it says itself. */
export const Session = z.object({
  session: z.string(),
  client: z.string(),
  since: Timestamp,
  /** The machine's own claim. */
  project: ProjectName.optional(),
  ...shownActivity,
})
export type Session = z.infer<typeof Session>

/** A project of a machine, as the machine claims: how many sessions of it live, and when one was last heard of. */
export const Project = z.object({ name: ProjectName, sessions: z.number().int(), lastSeenAt: Timestamp.nullable() })
export type Project = z.infer<typeof Project>

export const Member = z.object({
  name: z.string(),
  kind: MemberKind,
  owner: z.string().nullable(),
  aliases: z.array(z.string()),
  online: z.boolean(),
  lastSeenAt: Timestamp.nullable(),
  /** Of a human: whether the hub's Telegram carries their mail. */
  telegram: z.boolean().optional(),
  /** The oldest 20. */
  sessions: z.array(Session),
  /** How many there are, where `sessions` does not have all. */
  sessionCount: z.number().int().optional(),
  /** Of a machine, the last seen first, 20 at most. Absent where there are none, and in older hubs. */
  projects: z.array(Project).optional(),
  /** How many there are, where `projects` does not have all. */
  projectCount: z.number().int().optional(),
  /** With `?with=mail`, of those whose mail the caller may see: how much is unread, and when the oldest of that was sent. */
  unread: z.number().int().optional(),
  oldestUnreadAt: Timestamp.nullable().optional(),
})
export type Member = z.infer<typeof Member>

/** A message of the reader's that wants an answer, and the recipients who have not given one. */
export const OpenRequest = z.object({
  id: MessageId,
  /** With `?with=mail`: who asked, where that is not the reader. */
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

/** No mail passes between two machines until then: `why` looked like a loop. */
export const Brake = z.object({ between: z.tuple([z.string(), z.string()]), until: Timestamp, why: z.string() })

/** The token of a member was last used from two hosts at once at `at`: its files were copied, or it was stolen. */
export const SharedToken = z.object({ member: z.string(), hosts: z.array(z.string()), at: Timestamp })

/** What a person should look at: the reader's own, an admin sees all. */
const concerns = {
  brakes: z.array(Brake).default([]),
  sharedTokens: z.array(SharedToken).default([]),
  /** The store of the hub is damaged: it takes no mail, and what cannot be read is missing here. */
  damaged: z.boolean().default(false),
}
export const Concerns = z.object(concerns)
export type Concerns = z.infer<typeof Concerns>

/** A named set of members. */
export const Group = z.object({ name: z.string(), members: z.array(z.string()) })
export type Group = z.infer<typeof Group>

/** Every member by name. `you` and `unread` are the reader's own; null for an admin, who has no inbox. */
export const MembersAnswer = z.object({
  /** The hub's, so that a client that is behind shows. Absent in older hubs. */
  version: z.string().optional(),
  you: z.string().nullable(),
  unread: z.number().int().nullable(),
  members: z.array(Member),
  /** Every group with its members. Absent in older hubs. */
  groups: z.array(Group).optional(),
  ...concerns,
  /** The newest 20 of the last 30 days, newest first; with `?with=mail` those of all whose mail the reader may see. A hub that knows none of them says none. */
  openRequests: z.array(OpenRequest).default([]),
})
export type MembersAnswer = z.infer<typeof MembersAnswer>

/**
 * A heartbeat: this session lives. Sent every 5 s; see `silenceMs` in the hub's presence. `project` is what the machine claims that the
 * session works on; with it, the answer counts what is in its scope.
 */
export const HeartbeatRequest = z.strictObject({
  session: SessionId,
  client: z.string().regex(/^[\x20-\x7e]{1,100}$/, 'a client is named in 1 to 100 printable ASCII characters'),
  project: ProjectScope.optional(),
  ...activityFields,
})
export type HeartbeatRequest = z.infer<typeof HeartbeatRequest>
/** `version` is the hub's: a session whose client is older is told so. */
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
  /** From where its tokens may be used; what is left out stays as it is. */
  from: BoundTo.optional(),
})

/**
 * `renewed` says that the member was there before: its inbox stays, its old token dies when the code is used. `hubKey` is what the
 * hub proves itself by, for the join line; absent where it has no key.
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
 * What answered at `address` in the hub's place: so many times, last at `at` by the clock of the machine, with another key or, where
 * `hubKey` is null, without TLS.
 */
export const WrongHubReport = z.strictObject({
  address: z.string().regex(/^[\x20-\x7e]{1,600}$/),
  hubKey: HubKey.nullable(),
  times: z.number().int().min(1).max(1_000_000_000),
  at: Timestamp,
})
export type WrongHubReport = z.infer<typeof WrongHubReport>

/** What an admin sees of a member beside what everyone sees. `tokenId` is the public part of its token. */
const TokenDetails = z.object({
  id: z.string(),
  createdAt: Timestamp,
  /** As far as the hub has noted: within the last minute, or since it was started. */
  lastUsedAt: Timestamp.nullable(),
  /** When it ends, as far as that is known: after a rotation or a renewal, or by its age. */
  endsAt: Timestamp.nullable(),
  /** Whether a newer one has taken its place, and it only goes on for a while. */
  isReplaced: z.boolean(),
})
export type TokenDetails = z.infer<typeof TokenDetails>

export const MemberDetails = Member.extend({
  unread: z.number().int(),
  createdAt: Timestamp,
  joinedAt: Timestamp.nullable(),
  tokenId: z.string().nullable(),
  /** All that count, the newest last. Absent in older hubs. */
  tokens: z.array(TokenDetails).default([]),
  /** Of a member without a token: when its last one ended by its age. */
  tokenEndedAt: Timestamp.nullable().default(null),
  /** From where its tokens may be used; none is anywhere. */
  boundTo: z.array(z.string()).default([]),
})
export type MemberDetails = z.infer<typeof MemberDetails>
export const MemberDetailsAnswer = z.object({ members: z.array(MemberDetails), ...concerns })
export type MemberDetailsAnswer = z.infer<typeof MemberDetailsAnswer>

/** What is said of a member is set, what is left out stays. A member that does not exist is made, as `kind`. */
export const MemberChange = z.strictObject({
  kind: JoinableKind.optional(),
  owner: MemberName.nullable().optional(),
})
export const BindRequest = z.strictObject({ ranges: BoundTo })

export const RenewRequest = z.strictObject({ token: JoinRequest.shape.token })
/** `goesOnUntil`: how long the token that asked counts still; null where it is the new one itself. */
export const RenewAnswer = z.object({ tokenId: z.string(), goesOnUntil: Timestamp.nullable() })

export const MemberNamed = z.strictObject({ name: MemberName })
export const RenameRequest = z.strictObject({ to: MemberName })

export const GroupsAnswer = z.object({ groups: z.array(Group) })
export const GroupRequest = z.strictObject({ members: z.array(z.string().trim().min(1).max(100)).max(1000) })
export const AliasRequest = z.strictObject({ member: z.string().trim().min(1).max(100) })

/** What a member does with mail: `accept` it, `hold` it for its user, or `refuse` it; and whose mail makes no noise. */
export const Inbound = z.enum(['accept', 'hold', 'refuse'])
export const PolicyRequest = z.strictObject({
  inbound: Inbound.optional(),
  mute: z.array(z.string().trim().min(1).max(100)).max(1000).optional(),
})
export const PolicyAnswer = z.object({ inbound: z.string(), mute: z.array(z.string()) })
