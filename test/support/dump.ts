import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { InboxDump } from '../../prove/checker/check.ts'
import { api } from '../../src/protocol/api.ts'
import type { TestHub, TestMember } from './hub.ts'

/** Reads every inbox of `readers` as its reader would, then stops `hub` and reads the same inboxes from its store. */
export async function dumpInboxes(hub: TestHub, readers: TestMember[]): Promise<InboxDump[]> {
  const unread = new Map<string, string[]>()
  for (const reader of readers) unread.set(reader.name, await unreadIds(reader))
  await hub.stop()
  using db = new DatabaseSync(join(hub.dataDir, 'hub.db'), { readOnly: true })
  const rows = db.prepare(`
    select m.id, m.seq, s.name as sender, m.body, d.acked_at
    from delivery d join message m on m.seq = d.seq join member s on s.id = m.sender join member r on r.id = d.recipient
    where r.name = ? order by d.seq`)
  return readers.map(({ name }) => ({
    inbox: name,
    rows: rows.all(name).map(({ id, seq, sender, body, acked_at }) => ({
      id: String(id),
      seq: Number(seq),
      from: String(sender),
      body: String(body),
      acked: acked_at !== null,
    })),
    unread: unread.get(name)!,
  }))
}

async function unreadIds({ client }: TestMember): Promise<string[]> {
  const ids: string[] = []
  for (let after: string | undefined; ; ) {
    const { messages, more, cursor } = await client.call(api.readInbox, { query: { after } })
    ids.push(...messages.map(({ id }) => id))
    if (more === 0) return ids
    after = cursor
  }
}
