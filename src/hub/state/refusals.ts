import type { ErrorCode } from '../../protocol/errors.ts'
import type { MemberKind } from '../../protocol/messages.ts'

/**
 * Why a command was not carried out. A value, not an exception: it was foreseen, and nothing was written. `code` is what counts in the
 * chain of outcomes; `refusal-words.ts` makes the sentences when it is shown.
 */
export interface Refusal {
  code: ErrorCode
  why: Why
  /** When another try makes sense, in ms from now. */
  retryAfterMs?: number
  /** With `retryAfterMs`: somebody should look first, so nothing tries again by itself. */
  settled?: true
}

/** Why a recipient did not take a message: a code with its numbers. It is stored with the message, where others took it. */
export type NotTaken =
  | { code: 'takes_none' }
  /** `until` in ms since 1970; `why` as the brake has it: see `loopCode`. */
  | { code: 'braked'; until: number; why: string }
  /** `unread` messages lie there. */
  | { code: 'inbox_full'; unread: number }
  /** `own` of them are the sender's. */
  | { code: 'share_full'; own: number }
  | { code: 'reserved'; unread: number; own: number }

/** What a name stands for; `member` is whom an alias means. */
export type Taken = { kind: MemberKind | 'group' | 'webhook' } | { kind: 'alias'; member: string }

/** A code with what it is about. Names are as they were typed. */
export type Why =
  /** A bug: it threw. */
  | { code: 'failed' }
  /** The only recipient, or the first of several that all refused. */
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
  /** It was due, and nobody took it, or the disk had damaged it. */
  | { code: 'later_refused'; id: string }
  | { code: 'later_damaged' }
  /** Names that meant members who are gone when it was due. */
  | { code: 'recipients_gone'; names: string[] }
  | { code: 'no_member'; name: string }
  | { code: 'no_human'; name: string }
  /** `name` of a machine that was never seen with this project; `address` as it was typed. */
  | { code: 'no_project'; name: string; project: string; address: string }
  /** A person, a group or `all` was addressed with a project. */
  | { code: 'takes_no_project'; name: string; kind: 'human' | 'group' | 'all'; address: string }
  /** One message was to reach a machine in two places. */
  | { code: 'one_place'; name: string }
  | { code: 'not_a_project'; project: string }
  /** `kind` of who cannot own anything, where that is no machine. */
  | { code: 'owner_is_machine'; name: string; kind?: 'service' }
  /** A service was written to, put into a group, or given an owner. */
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
  /** `tokens` of the member are in their overlap. */
  | { code: 'tokens_overlap'; tokens: number }
  | { code: 'not_seen_last' | 'user_taken'; user: number }
  /** Of webhooks that post events. */
  | { code: 'no_outgoing' | 'outgoing_gone'; name: string }
  | { code: 'outgoing_full'; most: number }
  | { code: 'no_dead_letter'; id: string }
  /** Of hubs that share one history; `rules` of a version that its program does not know. */
  | { code: 'no_hub'; name: string }
  | { code: 'hub_too_old'; name: string; rules: number }
  /** One of the steps of an import. */
  | { code: 'not_imported'; step: Why }

export interface Refused {
  ok: false
  refusal: Refusal
}

export function refuse(code: ErrorCode, why: Why): Refused {
  return { ok: false, refusal: { code, why } }
}

/** A name that means nobody. */
export function refuseUnknown(name: string): Refused {
  return refuse('not_found', { code: 'no_member', name })
}
