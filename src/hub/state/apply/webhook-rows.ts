import { addressOf, formatAddress } from '../../../protocol/projects.ts'
import type { CommandOf } from '../commands.ts'
import type { Database } from '../store/database.ts'
import { limits } from './limits.ts'

type Received = Pick<CommandOf<'message.send'>, 'by' | 'id' | 'received'>

/** Most expired seals that are deleted when one is stored. */
const maxDeleted = 10

/** Renames `from`, or a project of it, to `to` in webhooks. */
export function renameInWebhooks(db: Database, from: string, to: string): void {
  for (const { member, named } of db.all<{ member: number; named: string }>(
    'select member, named from webhook order by member',
  )) {
    const names = (JSON.parse(named) as string[]).map(typed => {
      const address = addressOf(typed)
      return address.name === from ? formatAddress({ ...address, name: to }) : typed
    })
    db.run('update webhook set named = ? where member = ?', JSON.stringify(names), member)
  }
}

/** Revokes the URLs of a member's webhook, if it has one. Returns whether one was revoked. Signing secrets stay. */
export function endWebhookUrls(db: Database, member: number): boolean {
  return (
    db.run(
      `update webhook set secret_hash = null, before_hash = null, before_signing = null, before_ends = null
       where member = ? and secret_hash is not null`,
      member,
    ) > 0
  )
}

export function deleteWebhook(db: Database, member: number): void {
  db.run('delete from webhook where member = ?', member)
  db.run('delete from webhook_seal where member = ?', member)
}

/** Returns the id of the message that the same call became before; undefined for a new call. */
export function sealedBefore(db: Database, { by, received }: Received): string | undefined {
  return db.get<{ id: string }>('select id from webhook_seal where member = ? and seal = ?', by, sealOf(received))?.id
}

/** Stores the seal of a call, and deletes expired ones. */
export function storeSeal(db: Database, steady: number, { by, id, received }: Received): void {
  db.run(
    'insert or replace into webhook_seal (member, seal, id, steady) values (?, ?, ?, ?)',
    by,
    sealOf(received),
    id,
    steady,
  )
  db.run(
    `delete from webhook_seal where (member, seal) in
       (select member, seal from webhook_seal where member = ?1 and steady < ?2 order by steady, seal limit ?3)`,
    by,
    steady - limits.sealLifeMs,
    maxDeleted,
  )
}

function sealOf(received: Received['received']): Buffer {
  return Buffer.from(received!.seal!, 'base64')
}
