import { cpSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { HubClient } from '../../src/client/hub-client.ts'
import { DirectTransport } from '../../src/client/transport/direct.ts'
import { api } from '../../src/protocol/api.ts'
import { mintToken } from '../../src/protocol/token.ts'
import type { CheckOptions, InboxDump } from '../checker/check.ts'
import { type HubOptions, HubProcess } from './hub-process.ts'

/** A member and its token. */
export interface Credential {
  name: string
  token: string
}

/** The hubs of one round: one, or several over a log that they share. */
export interface Cluster {
  readonly hubs: readonly HubProcess[]
  /** Addresses for members, which try the next one when one does not respond. */
  readonly urls: readonly URL[]
  readonly adminToken: string
  /** Options of the checker: hubs that share a log may be behind one another. */
  readonly checks: CheckOptions
  /** Starts every hub. Resolves once all of them respond. */
  start(): Promise<void>
  /** Ends all faults. Resolves when every hub runs and has caught up with the others. */
  heal(): Promise<void>
  /** Adds a machine over the public routes. */
  join(name: string): Promise<Credential>
  /** Reads each inbox as its reader would, then stops the hubs and reads the same inboxes from the store. */
  dump(members: readonly Credential[]): Promise<InboxDump[]>
  /** Copies the stores into `dir`, for the analysis of a failure. */
  keepStores(dir: string): void
  /** Kills every process, whatever its state. */
  close(): Promise<void>
}

/** A standalone hub. */
export class OneHub implements Cluster {
  readonly hub: HubProcess
  readonly checks: CheckOptions = {}

  constructor(options: HubOptions) {
    this.hub = new HubProcess(options)
  }

  get hubs(): readonly HubProcess[] {
    return [this.hub]
  }

  get urls(): readonly URL[] {
    return [this.hub.url]
  }

  get adminToken(): string {
    return this.hub.adminToken
  }

  start(): Promise<void> {
    return this.hub.start()
  }

  async heal(): Promise<void> {
    this.hub.resume()
    if (!this.hub.isRunning) await this.hub.start()
  }

  join(name: string): Promise<Credential> {
    return joinAt(this.hub.url, this.adminToken, name)
  }

  async dump(members: readonly Credential[]): Promise<InboxDump[]> {
    const reads = new Map<string, { unread: string[]; count: number }>()
    for (const member of members) reads.set(member.name, await readAll(this.hub.url, member))
    await this.hub.stop()
    return dumpStore(this.hub.dataDir, reads)
  }

  keepStores(dir: string): void {
    if (existsSync(this.hub.dataDir)) cpSync(this.hub.dataDir, join(dir, 'store'), { recursive: true })
  }

  async close(): Promise<void> {
    await this.hub.kill()
  }
}

/** Invites a machine as the admin and joins it. */
export async function joinAt(url: URL, adminToken: string, name: string): Promise<Credential> {
  const token = mintToken('machine')
  const [admin, nobody] = [adminToken, undefined].map(
    each => new HubClient({ transport: new DirectTransport(url), token: each, timeoutMs: 60_000 }),
  ) as [HubClient, HubClient]
  try {
    const { code } = await admin.call(api.invite, { body: { name, kind: 'machine' } })
    await nobody.call(api.join, { body: { code, machine: name, token } })
  } finally {
    admin.close()
    nobody.close()
  }
  return { name, token }
}

/** Returns all messages shown as unread, over all pages, and the hub's count of them. */
export async function readAll(url: URL, { token }: Credential): Promise<{ unread: string[]; count: number }> {
  const client = new HubClient({ transport: new DirectTransport(url), token, timeoutMs: 60_000 })
  try {
    const ids: string[] = []
    for (let after: string | undefined; ; ) {
      const { messages, more, cursor, unread } = await client.call(api.readInbox, { query: { after } })
      ids.push(...messages.map(({ id }) => id))
      if (more === 0) return { unread: ids, count: unread }
      after = cursor
    }
  } finally {
    client.close()
  }
}

/** Returns the inboxes from the store in `dataDir`, with the messages that their readers were shown. No hub may run on it. */
export function dumpStore(
  dataDir: string,
  reads: ReadonlyMap<string, { unread: string[]; count: number }>,
): InboxDump[] {
  using db = new DatabaseSync(join(dataDir, 'hub.db'), { readOnly: true })
  const rows = db.prepare(`
    select m.id, m.seq, s.name as sender, m.body, d.acked_at
    from delivery d join message m on m.seq = d.seq join member s on s.id = m.sender join member r on r.id = d.recipient
    where r.name = ? order by d.seq`)
  return [...reads].map(([inbox, { unread, count }]) => ({
    inbox,
    unread,
    count,
    rows: rows.all(inbox).map(({ id, seq, sender, body, acked_at }) => ({
      id: String(id),
      seq: Number(seq),
      from: String(sender),
      body: String(body),
      acked: acked_at !== null,
    })),
  }))
}
