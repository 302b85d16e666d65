import type { ErrorCode } from '../../protocol/errors.ts'
import type { MemberKind } from '../../protocol/messages.ts'

/**
 * The reason why a command was not carried out. It is a value, not an exception: it was foreseen, and nothing was written. Only `code`
 * counts in the chain of outcomes; `refusal-words.ts` makes the sentences when it is shown.
 */
export interface Refusal {
  code: ErrorCode
  why: Why
  /** Time until a retry makes sense, in ms from now. */
  retryAfterMs?: number
  /** With `retryAfterMs`: a person should look first, so nothing retries automatically. */
  settled?: true
}

/** The reason why a recipient refused a message: a code with its numbers. It is stored with the message if other recipients accepted it. */
export type NotTaken =
  | { code: 'takes_none' }
  /** `until` is in ms since 1970; `why` is the brake's code: see `loopCode`. */
  | { code: 'braked'; until: number; why: string }
  /** The inbox has `unread` messages. */
  | { code: 'inbox_full'; unread: number }
  /** `own` of them are the sender's. */
  | { code: 'share_full'; own: number }
  | { code: 'reserved'; unread: number; own: number }

/** The holder of a name; `member` is the member that an alias means. */
export type Taken = { kind: MemberKind | 'group' | 'webhook' } | { kind: 'alias'; member: string }

/** A code with its details. Names are as they were typed. */
export type Why =
  /** A bug: the command threw. */
  | { code: 'failed' }
  /** Names the only recipient, or the first of several that all refused. */
  | { code: 'not_taken'; name: string; reason: NotTaken }
  | { code: 'reaches_nobody' }
  | { code: 'no_recipients'; names: string[] }
  | { code: 'hub_reads_nothing' }
  | { code: 'reply_unknown'; id: string }
  | { code: 'message_id_taken'; id: string }
  /** `at` and `now`, the hub's clock, in ms since 1970. */
  | { code: 'at_past' | 'at_too_far'; at: number; now: number }
  | { code: 'later_full'; most: number }
  | { code: 'later_cancelled' | 'no_later'; id: string }
  | { code: 'later_delivered'; id: string; at: number }
  /** It was due, and every recipient refused it, or the disk had damaged it. */
  | { code: 'later_refused'; id: string }
  | { code: 'later_damaged' }
  /** Names of members who were deleted before it was due. */
  | { code: 'recipients_gone'; names: string[] }
  | { code: 'no_member'; name: string }
  | { code: 'no_human'; name: string }
  /** `name` is a machine that was never seen with this project; `address` is as it was typed. */
  | { code: 'no_project'; name: string; project: string; address: string }
  /** A person, a group or `all` was addressed with a project. */
  | { code: 'takes_no_project'; name: string; kind: 'human' | 'group' | 'all'; address: string }
  /** One message named a machine for two projects. */
  | { code: 'one_place'; name: string }
  | { code: 'not_a_project'; project: string }
  /** `kind` is that of the named owner, where it is no machine. */
  | { code: 'owner_is_machine'; name: string; kind?: 'service' }
  /** A service was addressed, put into a group, or given an owner. */
  | { code: 'service_reads_nothing' | 'service_has_no_owner'; name: string }
  | { code: 'service_in_group'; name: string; group: string }
  | { code: 'no_webhook'; name: string }
  | { code: 'human_has_no_owner'; name: string }
  | { code: 'name_taken'; name: string; taken: Taken; wanted: 'name' | 'alias' | 'group' | MemberKind }
  | { code: 'no_alias'; alias: string }
  | { code: 'no_group'; group: string }
  | { code: 'code_unknown' | 'code_of_another' | 'code_used'; name: string }
  | { code: 'link_unknown' | 'link_used' | 'member_gone' }
  | { code: 'token_of_another_kind'; name: string; kind: MemberKind }
  | { code: 'token_id_taken' }
  | { code: 'token_ended' | 'token_replaced' }
  /** The member has `tokens` in their overlap. */
  | { code: 'tokens_overlap'; tokens: number }
  | { code: 'not_seen_last' | 'user_taken'; user: number }
  /** Refusals about webhooks that post events. */
  | { code: 'no_outgoing' | 'outgoing_gone'; name: string }
  | { code: 'outgoing_full'; most: number }
  | { code: 'no_dead_letter'; id: string }
  /** Refusals about hubs that share one history; `rules` is a version that the hub's program does not support. */
  | { code: 'no_hub'; name: string }
  | { code: 'hub_too_old'; name: string; rules: number }
  /** A step of an import was refused. */
  | { code: 'not_imported'; step: Why }

export interface Refused {
  ok: false
  refusal: Refusal
}

export function refuse(code: ErrorCode, why: Why): Refused {
  return { ok: false, refusal: { code, why } }
}

/** Returns the refusal for an unknown name. */
export function refuseUnknown(name: string): Refused {
  return refuse('not_found', { code: 'no_member', name })
}
