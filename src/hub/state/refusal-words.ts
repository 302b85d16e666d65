import { ClaudeNetError } from '../../protocol/errors.ts'
import { formatAddress } from '../../protocol/projects.ts'
import { count, span } from '../../text/spans.ts'
import { memberMeant, nearestNames } from './query/find-member.ts'
import { nearestProjects } from './query/projects.ts'
import { unlessUnreadable } from './query/read-around-damage.ts'
import type { NotTaken, Refusal, Taken, Why } from './refusals.ts'
import type { Database } from './store/database.ts'
import { timestamp } from './timestamp.ts'

/** `message` states what happened, `hint` what to do next. */
interface Words {
  message: string
  hint: string
}

/** Returns a refusal as the error that the doors throw. `db` is searched for names similar to one that means nobody. */
export function refused(db: Database, { code, why, retryAfterMs, settled }: Refusal): ClaudeNetError {
  const { message, hint } = whyInWords(db, why)
  // Without a time for a retry, apply would refuse the command again.
  return new ClaudeNetError(code, message, hint, retryAfterMs, settled ?? retryAfterMs === undefined)
}

/** Returns the sentences for a refusal. */
export function whyInWords(db: Database, why: Why): Words {
  /** Returns a question that suggests the names nearest to `name`, followed by a space; empty when there are none. */
  const didYouMean = (name: string) => {
    const nearest = unlessUnreadable(() => nearestNames(db, name)) ?? []
    return nearest.length > 0 ? `Did you mean ${nearest.join(' or ')}? ` : ''
  }
  switch (why.code) {
    case 'failed':
      return {
        message: 'The hub failed on this request; nothing was changed.',
        hint: 'Its log says why. Report it to the admin of the hub.',
      }
    case 'not_taken':
      return notTakenInWords(why.name, why.reason)
    case 'reaches_nobody':
      return {
        message: 'This message would reach nobody.',
        hint: 'No other machine has been invited to this hub yet.',
      }
    case 'no_recipients':
      return {
        message: `No member is called ${why.names.map(name => `'${name}'`).join(' or ')}. Nothing was sent.`,
        hint: `${didYouMean(why.names[0]!)}claude_net_machines lists all members.`,
      }
    case 'hub_reads_nothing':
      return {
        message: "'hub' is the hub itself: it writes notices, but nobody reads there. Nothing was sent.",
        hint: 'A notice needs no answer; ack it. To reach a person, name one: claude_net_machines lists all members.',
      }
    case 'reply_unknown':
      return {
        message: `You have neither sent nor received a message ${why.id}, so nothing can answer it. Nothing was sent.`,
        hint: 'Take the id from your inbox, or send this as a message of its own.',
      }
    case 'message_id_taken':
      return {
        message: `The id ${why.id} belongs to another message.`,
        hint: 'Send this one under a new id, or leave the id out.',
      }
    case 'at_past':
      return {
        message: `${timestamp(why.at)} has passed: the clock of the hub says ${timestamp(why.now)}. Nothing was sent.`,
        hint: 'Name a time in the future, or leave it out to send now.',
      }
    case 'at_too_far':
      return {
        message: `${timestamp(why.at)} is too far ahead: a scheduled message waits a year at most. Nothing was sent.`,
        hint: `The clock of the hub says ${timestamp(why.now)}.`,
      }
    case 'later_full':
      return {
        message: `You have ${why.most} messages waiting for later, the most that one sender may have. Nothing was sent.`,
        hint: 'claude-net later lists them, and claude-net later cancel ID cancels one.',
      }
    case 'later_cancelled':
      return {
        message: `Message ${why.id} was a scheduled message, and was cancelled before it was due.`,
        hint: 'To send it all the same, send it under a new id.',
      }
    case 'later_refused':
      return {
        message: `Message ${why.id} was a scheduled message, and was refused when it was due.`,
        hint: 'A message of the hub in your inbox says why. To send it again, send it under a new id.',
      }
    case 'later_delivered':
      return {
        message: `Message ${why.id} was delivered at ${timestamp(why.at)}, so it can no longer be cancelled.`,
        hint: 'Send another message that takes it back.',
      }
    case 'no_later':
      return {
        message: `You have no scheduled message ${why.id}.`,
        hint: 'claude-net later lists what waits.',
      }
    case 'later_damaged':
      return {
        message: 'The disk of the hub has damaged it while it waited.',
        hint: 'Send it again, and tell the admin of the hub.',
      }
    case 'recipients_gone':
      return {
        message: `${why.names.join(', ')}: no member or group has this name now.`,
        hint: 'claude_net_machines lists all members.',
      }
    case 'no_member':
      return {
        message: `No member is called '${why.name}'.`,
        hint: `${didYouMean(why.name)}claude-net members lists all members.`,
      }
    case 'no_human':
      return {
        message: `No human is called '${why.name}'.`,
        hint: didYouMean(why.name).trimEnd() || humanFirst,
      }
    case 'no_project': {
      const nearest = unlessUnreadable(() => nearestAddresses(db, why.name, why.project)) ?? []
      const meant = nearest.length > 0 ? `Did you mean ${nearest.join(' or ')}? ` : ''
      return {
        message: `${why.name} has no project '${why.project}'. Nothing was sent.`,
        hint: `${meant}A project is known for 90 days after a session of it ran. '${why.name}' alone reaches whichever of its sessions reads next.`,
      }
    }
    case 'takes_no_project':
      return {
        message: `${why.kind === 'all' ? "'all'" : why.name} ${noProjects[why.kind]}. Nothing was sent.`,
        hint: `Write to ${why.name}, or to a machine with its project: MACHINE/PROJECT.`,
      }
    case 'one_place':
      return {
        message: `${why.name} is named more than once, for different projects, and a message reaches a machine once. Nothing was sent.`,
        hint: `Send it to each of them by itself, or to ${why.name} alone.`,
      }
    case 'not_a_project':
      return {
        message: `'${why.project}' is not the name of a project.`,
        hint: 'It has 1 to 64 characters a-z, 0-9 and -, and neither starts nor ends with -.',
      }
    case 'owner_is_machine':
      return { message: `${why.name} is a ${why.kind ?? 'machine'}, so it can own nothing.`, hint: humanFirst }
    case 'service_reads_nothing':
      return {
        message: `${why.name} is a service: it reports events from outside, and nobody reads there. Nothing was sent.`,
        hint: 'An event needs no answer; ack it. To reach a person, name one: claude_net_machines lists all members.',
      }
    case 'service_has_no_owner':
      return { message: `${why.name} is a service, so nobody owns it.`, hint: 'Owners are for machines.' }
    case 'service_in_group':
      return {
        message: `${why.name} is a service, and nobody reads there, so it cannot be in the group ${why.group}.`,
        hint: 'To let its events go to a group, name that group where the webhook is made: claude-net webhook add SOURCE --to GROUP',
      }
    case 'no_webhook':
      return { message: `There is no webhook '${why.name}'.`, hint: 'claude-net webhook list shows them.' }
    case 'human_has_no_owner':
      return { message: `${why.name} is a human, so nobody owns it.`, hint: 'Owners are for machines.' }
    case 'name_taken':
      return nameTakenInWords(why)
    case 'no_alias':
      return { message: `There is no alias '${why.alias}'.`, hint: 'claude-net members lists them.' }
    case 'no_group':
      return {
        message: `There is no group '${why.group}'.`,
        hint: didYouMean(why.group).trimEnd() || 'claude-net group lists them.',
      }
    case 'code_unknown':
      return { message: 'This join code is unknown or its 10 minutes are over.', hint: askAdmin(why.name) }
    case 'code_of_another':
      return { message: 'This join code was made for another name.', hint: askAdmin(why.name) }
    case 'code_used':
      return { message: 'This join code has been used already.', hint: askAdmin(why.name) }
    case 'link_unknown':
      return { message: 'This link is unknown or its 10 minutes are over.', hint: newLink }
    case 'link_used':
      return {
        message: 'This link was used already; each opens the console once.',
        hint: `${newLink} If nobody whom you know has used it, end that session: claude-net console sessions`,
      }
    case 'member_gone':
      return { message: 'This member was deleted meanwhile.', hint: 'claude-net members lists who there is.' }
    case 'token_of_another_kind':
      return {
        message: `${why.name} is a ${why.kind} and needs a ${why.kind}'s token.`,
        hint: 'Run claude-net join.',
      }
    case 'token_id_taken':
      return { message: 'A token with this id exists.', hint: 'Run claude-net join again; it mints another.' }
    case 'token_ended':
      return { message: 'This token has ended.', hint: 'Ask the admin of the hub for: claude-net invite NAME' }
    case 'token_replaced':
      return {
        message: 'This token was renewed or replaced before, so it cannot be renewed.',
        hint: 'Another process or copy of this machine has the newer one.',
      }
    case 'tokens_overlap':
      return {
        message: `${count(why.tokens, 'earlier token')} of this member are still valid, so no other is made.`,
        hint: 'Wait until they have ended.',
      }
    case 'not_seen_last':
      return {
        message: `User ${why.user} is not the one that was seen last under the configured name.`,
        hint: 'claude-net telegram shows who was. They write /whoami in the group; then confirm them.',
      }
    case 'user_taken':
      return {
        message: `User ${why.user} is confirmed as somebody else.`,
        hint: 'claude-net telegram forget NAME frees it.',
      }
    case 'no_outgoing':
      return {
        message: `No webhook that posts events is called '${why.name}'.`,
        hint: 'claude-net webhook list shows them all.',
      }
    case 'outgoing_gone':
      return {
        message: `The receiver of ${why.name} answered that it is gone (410), so nothing is posted there.`,
        hint: `Once it is back: claude-net webhook test ${why.name} turns it on.`,
      }
    case 'outgoing_full':
      return {
        message: `There are ${why.most} webhooks that post events, the most that a hub has.`,
        hint: 'claude-net webhook delete NAME deletes one.',
      }
    case 'no_dead_letter':
      return {
        message: `There is no dead letter '${why.id}'.`,
        hint: 'claude-net webhook dead NAME lists them.',
      }
    case 'no_hub':
      return { message: `No hub of this history is called '${why.name}'.`, hint: 'claude-net hubs lists them.' }
    case 'hub_too_old':
      return {
        message: `The hub ${why.name} does not support the rules of version ${why.rules}.`,
        hint: `Upgrade it; or, if it will not return: claude-net hubs forget ${why.name}`,
      }
    case 'not_imported': {
      const { message, hint } = whyInWords(db, why.step)
      return { message: `${message} Nothing was imported.`, hint }
    }
  }
}

const noProjects = {
  human: 'is a person, and people have no projects',
  group: 'is a group, and groups have no projects',
  all: 'is every machine, and has no projects',
} as const

const newLink = 'Get another: claude-net console, or /console in a private chat with the bot.'

const humanFirst = 'Make the human first: claude-net invite NAME --human'

/** Returns addresses of a machine's projects with names similar to `project`. */
function nearestAddresses(db: Database, name: string, project: string): string[] {
  const member = memberMeant(db, name)
  return member ? nearestProjects(db, member.id, project).map(near => formatAddress({ name, project: near })) : []
}

function askAdmin(name: string): string {
  return `Ask the admin for a new one: claude-net invite ${name}`
}

function nameTakenInWords({ name, taken, wanted }: Extract<Why, { code: 'name_taken' }>): Words {
  const isOfKind = wanted !== 'name' && wanted !== 'alias' && wanted !== 'group'
  return {
    message: `${name} is ${takenInWords(taken)}${isOfKind ? `, not a ${wanted}` : ''}.`,
    hint: `Choose another ${wanted === 'alias' ? 'alias' : 'name'}.`,
  }
}

/** Returns the holder of a name with an article: `a machine`, `an alias of seanclaude`. */
function takenInWords(taken: Taken): string {
  return taken.kind === 'alias' ? `an alias of ${taken.member}` : `a ${taken.kind}`
}

/** Returns the sentences that say why `name` refused a message. The store has only the code and its numbers. */
export function notTakenInWords(name: string, why: NotTaken): Words {
  switch (why.code) {
    case 'takes_none':
      return { message: `${name} takes no messages now.`, hint: 'Only its user can change that.' }
    case 'braked':
      return {
        message: `Messages between you and ${name} are stopped until ${timestamp(why.until)}: ${loopInWords(why.why)} looked like a loop.`,
        hint: 'Nothing was stored there. Tell your user: a person should look. After that, write something else or nothing.',
      }
    case 'inbox_full':
      return {
        message: `The inbox of ${name} is full: ${why.unread} messages are unread.`,
        hint: 'Nothing was stored there. Try again when it has been read, or tell its owner.',
      }
    case 'share_full':
      return {
        message: `The inbox of ${name} has ${why.own} unread messages of yours, the most that one sender may have there.`,
        hint: 'Nothing was stored there. Try again when some have been read, or tell its owner.',
      }
    case 'reserved':
      return {
        message: `The inbox of ${name} is nearly full: ${why.unread} messages are unread.`,
        hint: `Nothing was stored there. The rest is reserved for urgent messages and for senders who have less than your ${why.own} there. Try again when some have been read, or tell its owner.`,
      }
  }
}

/** Returns the sentence for a stored reason. Hubs up to schema 13 stored the sentence itself, which is returned unchanged. */
export function storedReasonInWords(name: string, stored: NotTaken | string | undefined): string | undefined {
  return typeof stored === 'object' ? notTakenInWords(name, stored).message : stored
}

/** A suspected loop: too many messages within a number of seconds, or the same text too many times. */
export type Loop = { messages: number; windowS: number } | { repeats: number }

/** Encodes a loop for `pair.brake` and the table of brakes. */
export function loopCode(loop: Loop): string {
  return 'repeats' in loop ? `repeats:${loop.repeats}` : `messages:${loop.messages}:${loop.windowS}`
}

/** Returns a stored loop as senders read it: `31 messages within 5 min`. Hubs up to schema 13 stored these words themselves. */
export function loopInWords(stored: string): string {
  const [, what, number, windowS] = /^(repeats|messages):(\d+)(?::(\d+))?$/.exec(stored) ?? []
  if (what === 'repeats') return `the same text ${number} times running`
  if (what === undefined) return stored
  return `${count(Number(number), 'message')} within ${span(Number(windowS) * 1000)}`
}
