import { setImmediate as turn } from 'node:timers/promises'
import { Connection, expectSuccess } from '../connection.ts'
import { request } from '../load.ts'
import { text } from '../messages.ts'

const letters = 'abcdefghijklmnopqrstuvwxyz'

/** Returns the paths of the searches and pages that match, or look up, most of the stored messages. */
function worstPaths(): string[] {
  const words = [...new Set(text.toLowerCase().match(/[a-z]{2,}/g))]
  const beginnings = [...new Set(words.map(word => word.slice(0, 2)))].slice(0, 16)
  const searches = [
    [...letters].join(' '),
    Array(100).fill('b').join(' '),
    words[0]!,
    words.slice(0, 16).join(' '),
    beginnings.join(' '),
    `${beginnings.slice(1).join(' ')} zz`,
    '数据库迁移已经完成'.repeat(20),
  ]
  const queries = searches.flatMap(q => [
    `q=${encodeURIComponent(q.slice(0, 200))}`,
    `q=${encodeURIComponent(q.slice(0, 200))}&with=m0&limit=1`,
  ])
  return ['', 'with=m0', 'with=m5&limit=100', ...queries].map(query => `/v1/messages?${query}`)
}

/**
 * Returns the longest time in ms that another connection waits for an empty inbox, requested continuously, while `reader` requests the
 * worst queries three times each, several at once. Throws if a response is not a success.
 */
export async function longestStop(port: number, reader: string, admin: string): Promise<number> {
  const paths = [...worstPaths(), '/v1/machines', '/v1/inbox']
  const requests = [
    ...paths.map(path => request('GET', path, reader)),
    ...['/v1/admin/audit', '/v1/admin/status', '/v1/admin/members'].map(path => request('GET', path, admin)),
    request('GET', '/metrics', admin),
  ]
  let isDone = false
  const probe = await Connection.open(port)
  const probing = (async () => {
    let longest = 0
    while (!isDone) {
      const startedAt = performance.now()
      expectSuccess(await probe.ask(request('GET', '/v1/inbox?limit=1', reader)))
      longest = Math.max(longest, performance.now() - startedAt)
      await turn()
    }
    return longest
  })()
  const asking = Array.from({ length: 3 }, async () => {
    const connection = await Connection.open(port)
    for (const one of requests) expectSuccess(await connection.ask(one))
    connection.close()
  })
  await Promise.all(asking)
  isDone = true
  const longest = await probing
  probe.close()
  return longest
}
