import type { Database } from '../store/database.ts'

/** A webhook with the service that it stands for. Times in ms since 1970. */
export interface WebhookRow {
  member: number
  name: string
  source: string
  /** Recipients of its events, as the admin named them. */
  to: string[]
  template: string | null
  failedAs: string | null
  /** Signing secrets of its sender, newest first: two during the overlap of a rotation. None when nothing is signed. */
  signingSecrets: string[]
  /** Ranges of addresses from which it may be called, as JSON; null for anywhere. */
  boundTo: string | null
  createdAt: number
  rotatedAt: number | null
  /** Whether its URL was revoked, so that nothing can call it until it is rotated. */
  isRevoked: boolean
}

const columns = `w.member, m.name, w.source, w.named, w.template, w.failed_as as failedAs, w.signing_secret as signingSecret,
  iif(w.before_ends > ?1, w.before_signing, null) as beforeSigning, m.bound_to as boundTo, w.created_at as createdAt, w.rotated_at as rotatedAt,
  w.secret_hash is null as isRevoked`

/** Returns every webhook at the steady time `steady`, by name. */
export function allWebhooks(db: Database, steady: number): WebhookRow[] {
  return db
    .all<Stored>(`select ${columns} from webhook w join member m on m.id = w.member order by m.name`, steady)
    .map(toWebhook)
}

/** Returns the webhook whose URL has the secret with this SHA-256; a previous secret counts while its overlap lasts at `steady`. */
export function webhookBySecret(db: Database, secretHash: Uint8Array, steady: number): WebhookRow | undefined {
  const row = db.get<Stored>(
    `select ${columns} from webhook w join member m on m.id = w.member
     where w.secret_hash = ?2 or (w.before_hash = ?2 and w.before_ends > ?1)`,
    steady,
    secretHash,
  )
  return row && toWebhook(row)
}

/** Returns the webhook of the service with this name, given in lookup form. */
export function webhookByName(db: Database, name: string, steady: number): WebhookRow | undefined {
  const row = db.get<Stored>(
    `select ${columns} from webhook w join member m on m.id = w.member where m.name = ?2`,
    steady,
    name,
  )
  return row && toWebhook(row)
}

type Stored = Omit<WebhookRow, 'to' | 'signingSecrets' | 'isRevoked'> & {
  named: string
  signingSecret: string | null
  beforeSigning: string | null
  isRevoked: 0 | 1
}

function toWebhook({ named, signingSecret, beforeSigning, isRevoked, ...row }: Stored): WebhookRow {
  const signingSecrets = [signingSecret, beforeSigning].filter(secret => secret !== null)
  return { ...row, to: JSON.parse(named) as string[], signingSecrets, isRevoked: isRevoked === 1 }
}
