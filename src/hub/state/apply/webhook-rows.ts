import { addressOf, formatAddress } from '../../../protocol/projects.ts'
import type { Database } from '../store/database.ts'

/** Lets the webhooks that name `from`, or a project of it, name `to`. */
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

/** Ends the URLs of a member's webhook, where it has one. Returns whether one ended. */
export function endWebhookUrls(db: Database, member: number): boolean {
  return (
    db.run(
      `update webhook set secret_hash = null, signing_secret = null, before_hash = null, before_signing = null, before_ends = null
       where member = ? and secret_hash is not null`,
      member,
    ) > 0
  )
}

export function forgetWebhook(db: Database, member: number): void {
  db.run('delete from webhook where member = ?', member)
}
