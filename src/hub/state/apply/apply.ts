import { type Command, type Entry, entryVersion, NewerEntry, type Outcome } from '../commands.ts'
import { forgetMembers } from '../query/known-members.ts'
import type { Database } from '../store/database.ts'
import { applyBrake, applyRelease } from './brake.ts'
import { applyClaim } from './claims.ts'
import { applyTick } from './clock.ts'
import { applyConsole, isConsole } from './console.ts'
import { applyDeliver } from './deliver-later.ts'
import { applyHubs, isOfHubs } from './hubs.ts'
import { applyImport } from './import.ts'
import { applyAck, applyFetched, applyTold } from './inbox.ts'
import { applyAdminToken, applyInvite, applyJoin } from './joining.ts'
import { applyCancel } from './later.ts'
import { applyAdd, applyDelete, applyOwn, applyRename, applyRevoke } from './members.ts'
import { applySend } from './messages.ts'
import { applyAliasRemove, applyAliasSet, applyGroupRemove, applyGroupSet } from './names.ts'
import { applyOutgoing, isOutgoing } from './outgoing.ts'
import { applyPolicy } from './policy.ts'
import { applySee } from './projects.ts'
import { applySettings } from './settings.ts'
import { applyTelegram, isTelegram } from './telegram.ts'
import { applyBind, applyTokenLimit, applyTokenRenew } from './tokens.ts'
import { applyTell } from './untold.ts'
import { applyWebhookAdd, applyWebhookChange, applyWebhookRemove, applyWebhookRotate } from './webhooks.ts'

/**
 * Applies one entry to the tables, inside the caller's transaction. Reads its entry and the tables and nothing else: no clock, random
 * number, network or await, so that all hubs that apply the same entries have the same state. Throws only on bugs and storage errors, which
 * the caller distinguishes.
 */
export function apply(db: Database, entry: Entry): Outcome {
  const { v = 1, command } = entry
  if (v > entryVersion) throw new NewerEntry(`version ${v}; this one knows ${entryVersion} at most`)
  const outcome = carryOut(db, { ...entry, v })
  if (!keepsMembers.has(command.type)) forgetMembers(db)
  return outcome
}

/** The frequent commands, which themselves evict the members that they change from the cache; see `known-members.ts`. */
const keepsMembers: ReadonlySet<string> = new Set<Command['type']>([
  'message.send',
  'inbox.fetched',
  'inbox.told',
  'inbox.ack',
  'project.see',
  'door.claim',
])

function carryOut(db: Database, { v, seq, time, steady = time, command }: Entry): Outcome {
  if (isConsole(command)) return applyConsole(db, { seq, time, steady, command })
  if (isTelegram(command)) return applyTelegram(db, { seq, time, steady, command })
  if (isOutgoing(command)) return applyOutgoing(db, { seq, time, steady, command })
  if (isOfHubs(command)) return applyHubs(db, { v, seq, time, steady, command })
  switch (command.type) {
    case 'message.send':
      return applySend(db, { v, seq, time, steady, command })
    case 'later.deliver':
      return applyDeliver(db, { v, seq, time, steady, command })
    case 'later.cancel':
      return applyCancel(db, { seq, time, steady, command })
    case 'sender.tell':
      return applyTell(db, { seq, time, steady, command })
    case 'inbox.fetched':
      return applyFetched(db, { seq, time, steady, command })
    case 'inbox.told':
      return applyTold(db, { seq, time, steady, command })
    case 'inbox.ack':
      return applyAck(db, { seq, time, steady, command })
    case 'project.see':
      return applySee(db, { seq, time, steady, command })
    case 'member.invite':
      return applyInvite(db, { seq, time, steady, command })
    case 'member.join':
      return applyJoin(db, { seq, time, steady, command })
    case 'member.add':
      return applyAdd(db, { seq, time, steady, command })
    case 'member.own':
      return applyOwn(db, { seq, time, steady, command })
    case 'member.rename':
      return applyRename(db, { seq, time, steady, command })
    case 'member.revoke':
      return applyRevoke(db, { seq, time, steady, command })
    case 'member.delete':
      return applyDelete(db, { seq, time, steady, command })
    case 'member.policy':
      return applyPolicy(db, { seq, time, steady, command })
    case 'pair.brake':
      return applyBrake(db, { seq, time, steady, command })
    case 'pair.release':
      return applyRelease(db, { seq, time, steady, command })
    case 'alias.set':
      return applyAliasSet(db, { seq, time, steady, command })
    case 'alias.remove':
      return applyAliasRemove(db, { seq, time, steady, command })
    case 'group.set':
      return applyGroupSet(db, { seq, time, steady, command })
    case 'group.remove':
      return applyGroupRemove(db, { seq, time, steady, command })
    case 'organization.import':
      return applyImport(db, { seq, time, steady, command })
    case 'admin.token':
      return applyAdminToken(db, { seq, time, steady, command })
    case 'settings.set':
      return applySettings(db, { seq, time, steady, command })
    case 'token.limit':
      return applyTokenLimit(db, { seq, time, steady, command })
    case 'token.renew':
      return applyTokenRenew(db, { seq, time, steady, command })
    case 'webhook.add':
      return applyWebhookAdd(db, { seq, time, steady, command })
    case 'webhook.change':
      return applyWebhookChange(db, { seq, time, steady, command })
    case 'webhook.rotate':
      return applyWebhookRotate(db, { seq, time, steady, command })
    case 'webhook.remove':
      return applyWebhookRemove(db, { seq, time, steady, command })
    case 'member.bind':
      return applyBind(db, { seq, time, steady, command })
    case 'clock.tick':
      return applyTick(db, { v, seq, time, steady, command })
    case 'door.claim':
      return applyClaim(db, { seq, time, steady, command })
    default:
      throw new NewerEntry(`unknown command ${(command satisfies never as Command).type}`)
  }
}
