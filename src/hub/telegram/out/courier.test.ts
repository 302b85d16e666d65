import { expect, test } from 'vitest'
import type { Bot, Post } from '../bot.ts'
import { TelegramFailure } from '../failure.ts'
import { html } from '../html.ts'
import type { OutgoingPost } from '../outgoing-post.ts'
import { Courier } from './courier.ts'

const limits = { urgent: 20, answer: 19, messages: 17, answersAlone: 10 }

/** A courier with what waits, and what it said so far; `send` may refuse. */
function courier(
  waits: { urgent?: string[]; mail?: string[] },
  send: (post: Post, isLoose: boolean) => void = () => {},
) {
  const said: string[] = []
  const failures: string[] = []
  const stop = new AbortController()
  const outgoingOf = (list: string[] = []): OutgoingPost | undefined => {
    const [text] = list
    if (text === undefined) return undefined
    return {
      post: { text: html`${text}`, replyTo: 1 },
      accepted: async () => void list.shift(),
      refused: async () => void list.shift(),
    }
  }
  const bot = {
    send: async (_chat: number, post: Post, _cut: AbortSignal, { isLoose = false }) => {
      send(post, isLoose)
      said.push(post.text.plain)
      return said.length
    },
  } as unknown as Bot
  const made = new Courier({
    bot,
    chat: () => -1,
    urgent: () => outgoingOf(waits.urgent),
    next: () => outgoingOf(waits.mail),
    limits,
    windowMs: 60_000,
    retryMs: 1,
    idleMs: 20,
    onSent: () => {},
    onFailure: async ({ kind }) => void failures.push(kind),
  })
  /** Runs until `isDone`, and returns a function that ends it. */
  const runUntil = async (isDone: () => boolean) => {
    const running = made.run(stop.signal, stop.signal)
    await expect.poll(isDone).toBe(true)
    return async () => {
      stop.abort()
      await running
    }
  }
  return { made, said, failures, runUntil }
}

test('urgent messages are sent before answers and other messages, and have room reserved in each window', async () => {
  const urgent: string[] = []
  const mail = Array.from({ length: 40 }, (_, n) => `mail ${n}`)
  const { made, said, runUntil } = courier({ urgent, mail }, post => {
    if (post.text.plain === 'answer 3') urgent.push('fire 1')
  })
  for (let n = 0; n < 45; n++) made.answer({ post: { text: html`answer ${n}` } })
  const end = await runUntil(() => said.length === 18)
  expect(said.indexOf('fire 1')).toBe(said.indexOf('answer 3') + 1)
  // Answers and messages take turns: neither delays the other.
  expect(said.slice(0, 6)).toEqual(['answer 0', 'mail 0', 'answer 1', 'mail 1', 'answer 2', 'mail 2'])
  expect(said.filter(text => text.startsWith('answer'))).toHaveLength(limits.answersAlone)
  urgent.push('fire 2', 'fire 3', 'fire 4')
  made.wake()
  await expect.poll(() => said.length).toBe(20)
  await end()
  expect(said.slice(18)).toEqual(['fire 2', 'fire 3'])
})

test('with isOnce, an answer is dropped while one with the same text waits', async () => {
  const { made, said, runUntil } = courier({})
  for (let n = 0; n < 45; n++) made.answer({ post: { text: html`Only text.`, replyTo: n } }, true)
  made.answer({ post: { text: html`Other.` } }, true)
  const end = await runUntil(() => said.includes('Other.'))
  await end()
  expect(said).toEqual(['Only text.', 'Other.'])
})

test('a post that a closed topic rejects goes to the general chat, and waits while that is closed too', async () => {
  const { said, failures, runUntil } = courier({ mail: ['one', 'two'] }, (_post, isLoose) => {
    if (!isLoose) throw new TelegramFailure('topic', 'TOPIC_CLOSED')
  })
  await (await runUntil(() => said.length === 2))()
  expect(said).toEqual(['one', 'two'])
  expect(failures).toEqual(['topic', 'topic'])
  let isOpen = false
  const waiting = courier({ mail: ['later'] }, () => {
    if (!isOpen) throw new TelegramFailure('topic', 'TOPIC_CLOSED')
  })
  const end = await waiting.runUntil(() => waiting.failures.length >= 2)
  expect(waiting.said).toEqual([])
  isOpen = true
  await expect.poll(() => waiting.said).toEqual(['later'])
  await end()
})
