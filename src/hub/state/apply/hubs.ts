import { type Command, done, type Entry, entryVersion, NewerEntry, type Outcome } from '../commands.ts'
import type { HubCommand } from '../hub-commands.ts'
import { isHub, rulesInForce } from '../query/hubs.ts'
import { refuse } from '../refusals.ts'
import type { Database } from '../store/database.ts'

type Of<Type extends HubCommand['type']> = Extract<HubCommand, { type: Type }>

export function isOfHubs(command: Command): command is HubCommand {
  return command.type.startsWith('hub.') || command.type.startsWith('rules.')
}

/** Carries out commands between hubs. */
export function applyHubs(db: Database, { time, command }: Entry<HubCommand>): Outcome {
  switch (command.type) {
    case 'hub.announce':
      return announce(db, time, command)
    case 'hub.forget':
      return forget(db, command)
    case 'hub.vote':
      return done<Of<'hub.vote'>>({})
    case 'rules.raise':
      return raise(db, command)
    default:
      throw new NewerEntry(`unknown command ${(command as Command).type}`)
  }
}

function announce(db: Database, time: number, command: Of<'hub.announce'>): Outcome {
  const { name, version, url = null, ssh = null, hubKey = null, snapshot = 0 } = command
  db.run(
    `insert or replace into hub (name, version, entry_version, url, ssh, hub_key, snapshot, announced_at)
     values (?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[name, version, command.entryVersion, url, ssh, hubKey, snapshot, time],
  )
  return done<Of<'hub.announce'>>({ name }, { hubsChanged: true })
}

function forget(db: Database, { name }: Of<'hub.forget'>): Outcome {
  if (!isHub(db, name)) return refuse('not_found', { code: 'no_hub', name })
  db.run('delete from hub where name = ?', name)
  return done<Of<'hub.forget'>>({ name }, { hubsChanged: true })
}

/** Checks for a refusal first: it is the same on a hub whose program does not support these rules. */
function raise(db: Database, { to }: Of<'rules.raise'>): Outcome {
  const behind = db.get<{ name: string }>('select name from hub where entry_version < ? order by name', to)
  if (behind) return refuse('conflict', { code: 'hub_too_old', name: behind.name, rules: to })
  if (to > entryVersion) throw new NewerEntry(`rules ${to}; this one knows ${entryVersion} at most`)
  const version = Math.max(to, rulesInForce(db))
  db.run('update rules set version = ?', version)
  return done<Of<'rules.raise'>>({ version }, { hubsChanged: true })
}
