import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../../../test/support/temp.ts'
import { TestState } from '../../../test/support/test-state.ts'
import { FairQueue, maxWaitingOfOne } from './fair-queue.ts'
import { Reader, type ReaderOptions } from './reader.ts'

function start(options: Partial<ReaderOptions> = {}) {
  const dir = tempDir('reader')
  const made = new TestState(dir)
  const [ana, ben] = [made.member('ana'), made.member('ben')]
  const file = (name: string) => join(dir, name)
  const files = { store: file('hub.db'), wordIndex: file('words.db'), audit: file('audit.db') }
  // Generous, since speed is not tested here and the machine may be busy.
  const reader = new Reader({ files, limitMs: 60_000, ...options })
  onTestFinished(() => reader.close())
  const search = (q: string, by = 'ana', who = ana) =>
    reader
      .ask('history', { viewer: { member: who, readsTexts: false }, q, before: 1e9, limit: 10 }, by)
      .then(({ found }) => found.map(({ message }) => message.body))
  return { made, reader, ana, ben, search }
}

test('answers include everything committed before, while the store is being written', async () => {
  const { made, ana, search, reader } = start()
  for (let n = 0; n < 5; n++) {
    made.send(ana, 'ben', undefined, `walrus ${n}`)
    expect((await search('walrus'))[0]).toBe(`walrus ${n}`)
  }
  const open = await reader.ask('openRequests', { sender: ana, now: made.time }, 'ana')
  expect(open).toHaveLength(5)
  expect(open[0]).toMatchObject({ beginning: 'walrus 4', waitingFor: [{ name: 'ben', status: 'stored' }] })
})

test('other events are handled between two answers, however many are awaited', async () => {
  const { reader, ana, made } = start()
  let turn = 0
  let isOver = false
  const look = () => {
    turn++
    if (!isOver) setImmediate(look)
  }
  look()
  const all = Array.from({ length: 20 }, async (_, n) => {
    await reader.ask('openRequests', { sender: ana, now: made.time }, `caller ${n}`)
    // Blocks for as long as the thread needs for the next one.
    for (const until = performance.now() + 3; performance.now() < until; );
    return turn
  })
  expect(new Set(await Promise.all(all)).size).toBe(20)
  isOver = true
})

test('a question that exceeds its time limit fails with a hint how to narrow it, and the next is answered', async () => {
  const { search } = start({ limitMs: -1, graceMs: 600_000 })
  await expect(search('walrus')).resolves.toEqual([])
  const { made, ana, search: searchMore } = start({ limitMs: -1, graceMs: 600_000 })
  made.send(ana, 'ben', undefined, 'walrus')
  for (let n = 0; n < 2; n++) {
    await expect(searchMore('walrus')).rejects.toMatchObject({
      code: 'too_large',
      hint: expect.stringContaining('Narrow it'),
    })
  }
})

test('a thread that does not check the clock is terminated, and another takes the next question', async () => {
  const thread = join(tempDir('thread'), 'thread.mjs')
  writeFileSync(
    thread,
    `import { parentPort } from 'node:worker_threads'
     parentPort.on('message', ({ name }) => {
       while (name === 'message');
       parentPort.postMessage({ value: name })
     })
     parentPort.postMessage('ready')`,
  )
  const { reader } = start({ thread, limitMs: 0, graceMs: 1000 })
  for (let n = 0; n < 2; n++) {
    const stuck = reader.ask('message', { viewer: { member: 1, readsTexts: false }, id: '' }, 'ana')
    const next = reader.ask('index', undefined, 'ben')
    await expect(stuck).rejects.toMatchObject({ code: 'too_large' })
    expect(await next).toBe('index')
  }
  expect(await reader.whileIdle(() => 'idle')).toBe('idle')
})

test('the waiting questions of one caller are bounded, and those of another caller run in between', async () => {
  const { made, ana, ben, search } = start()
  made.send(ana, 'ben', undefined, 'walrus')
  const order: string[] = []
  // The first one starts immediately and does not wait.
  const asked = Array.from({ length: maxWaitingOfOne + 1 }, () => search('walrus').then(() => order.push('ana')))
  await expect(search('walrus')).rejects.toMatchObject({ code: 'rate_limited' })
  await search('walrus', 'ben', ben).then(() => order.push('ben'))
  expect(order.indexOf('ben')).toBeLessThan(4)
  await Promise.all(asked)
})

test('whileIdle runs its work between two questions, while nothing reads the store', async () => {
  const { made, ana, search, reader } = start()
  made.send(ana, 'ben', undefined, 'walrus')
  const order: string[] = []
  const first = search('walrus').then(() => order.push('first'))
  const second = search('walrus').then(() => order.push('second'))
  const pause = reader.whileIdle(() => {
    order.push('pause')
    // Fails after five seconds while somebody reads.
    made.state.db.holdCheckpoints()()
  })
  await Promise.all([first, second, pause])
  expect(order).toEqual(['pause', 'first', 'second'].toSorted((a, b) => order.indexOf(a) - order.indexOf(b)))
  expect(order.indexOf('pause')).toBeLessThan(order.indexOf('second'))
})

test('closing rejects the questions that wait', async () => {
  const { search, reader } = start()
  const waiting = [search('a'), search('b')].map(answer =>
    expect(answer).rejects.toMatchObject({ code: 'unavailable' }),
  )
  await reader.close()
  await Promise.all(waiting)
  await expect(search('c')).rejects.toMatchObject({ code: 'unavailable' })
})

test('callers take turns', () => {
  const queue = new FairQueue<string>()
  for (const job of ['a1', 'a2', 'a3', 'b1', 'b2', 'c1']) queue.add(job[0]!, job)
  expect(Array.from({ length: 7 }, () => queue.take())).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', undefined])
})
