import { describe, expect, test } from 'vitest'
import type { Journal } from '../../src/hub/journal/journal.ts'
import type { CommandOf, Outcome, Results } from '../../src/hub/state/commands.ts'
import { memberByName } from '../../src/hub/state/query/find-member.ts'
import { unreadAfter } from '../../src/hub/state/query/inbox.ts'
import type { State } from '../../src/hub/state/state.ts'
import { newMessageId } from '../../src/protocol/ids.ts'
import { hashJoinCode, mintJoinCode } from '../../src/protocol/join-code.ts'

/** A journal and its state, over a history that starts empty. */
export interface OpenJournal {
  readonly journal: Journal
  /** The state as applied by the journal; read-only. */
  readonly state: State
  /** Closes the journal and opens its history again, with new `journal` and `state`. */
  reopen(): Promise<void>
  /** Simulates a crash and opens the history again, in its state at the time of the call. */
  crash(): Promise<void>
  /** May be called more than once. */
  close(): Promise<void>
}

type Send = CommandOf<'message.send'>

/** Returns a command to store one message, by default from ana to ben. */
export function send(more: Partial<Send> = {}): Send {
  return { type: 'message.send', id: newMessageId(), by: 1, to: ['ben'], body: 'hello', ...more }
}

export function invite(name: string): CommandOf<'member.invite'> {
  const codeHash = hashJoinCode(mintJoinCode()).toString('base64')
  return { type: 'member.invite', name, kind: 'machine', codeHash, lifeS: 600 }
}

/** Returns the result of a command. Fails the test if it was refused. */
export function carriedOut<C extends { type: keyof Results }>(outcome: {
  ok: boolean
  result?: Results[C['type']]
  refusal?: unknown
}): Results[C['type']] {
  expect(outcome).toMatchObject({ ok: true })
  return outcome.result!
}

/** Returns the unread texts of a member, in order. */
export function inboxOf(state: State, name: string): string[] {
  const { id } = memberByName(state.db, name)!
  return unreadAfter(state.db, id, 0, 100_000).map(message => message.body)
}

/** Tests the promises of `hub/journal/journal.ts`, for any journal. `open` registers its own clean-up with the running test. */
export function journalSuite(name: string, open: () => Promise<OpenJournal>): void {
  /** Opens a journal with the machines ana (1), ben (2) and cat (3). */
  async function start(): Promise<OpenJournal> {
    const opened = await open()
    for (const machine of ['ana', 'ben', 'cat']) await opened.journal.submit(invite(machine))
    return opened
  }

  describe(`the ${name} journal`, () => {
    test('a command can be read as soon as submit resolves', async () => {
      const { journal, state } = await start()
      const { seq } = carriedOut<Send>(await journal.submit(send({ body: 'one' })))
      expect(inboxOf(state, 'ben')).toEqual(['one'])
      expect(state.position.seq).toBeGreaterThanOrEqual(seq)
    })

    test('a kill right after submit resolved loses nothing', async () => {
      const opened = await start()
      const bodies: string[] = []
      for (let round = 0; round < 5; round++) {
        bodies.push(`message ${round}`)
        await opened.journal.submit(send({ body: `message ${round}` }))
        await opened.crash()
        expect(inboxOf(opened.state, 'ben')).toEqual(bodies)
      }
    })

    test('of commands submitted together a kill loses none that had resolved', async () => {
      const opened = await start()
      const resolved: string[] = []
      const all = Array.from({ length: 1200 }, async (_, index) => {
        await opened.journal.submit(send({ body: `message ${index}` }))
        resolved.push(`message ${index}`)
      })
      await Promise.race(all)
      const before = [...resolved]
      const crashed = opened.crash()
      await Promise.all([crashed, ...all])
      expect(before.length).toBeGreaterThan(0)
      expect(inboxOf(opened.state, 'ben')).toEqual(expect.arrayContaining(before))
    })

    test('a clean restart keeps everything, and the history continues', async () => {
      const opened = await start()
      const first = carriedOut<Send>(await opened.journal.submit(send({ body: 'before' })))
      const { epoch } = opened.state.position
      await opened.reopen()
      const second = carriedOut<Send>(await opened.journal.submit(send({ body: 'after' })))
      expect(inboxOf(opened.state, 'ben')).toEqual(['before', 'after'])
      expect(second.seq).toBeGreaterThan(first.seq)
      // An earlier cursor refers to the same position.
      expect(opened.state.seqOf({ epoch, seq: first.seq })).toBe(first.seq)
    })

    test('a repeated message gets the first outcome and is stored once', async () => {
      const { journal, state } = await start()
      const command = send()
      const first = carriedOut<Send>(await journal.submit(command))
      const second = carriedOut<Send>(await journal.submit(command))
      expect(first.repeated).toBe(false)
      expect(second).toEqual({ ...first, repeated: true })
      expect(inboxOf(state, 'ben')).toEqual(['hello'])
    })

    test('a repeated message gets the first outcome after a restart and after a kill', async () => {
      const opened = await start()
      const command = send()
      const first = carriedOut<Send>(await opened.journal.submit(command))
      await opened.reopen()
      expect(carriedOut<Send>(await opened.journal.submit(command))).toEqual({ ...first, repeated: true })
      await opened.crash()
      expect(carriedOut<Send>(await opened.journal.submit(command))).toEqual({ ...first, repeated: true })
      expect(inboxOf(opened.state, 'ben')).toEqual(['hello'])
    })

    test('a message submitted many times at once is stored once', async () => {
      const { journal, state } = await start()
      const command = send()
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => journal.submit(command)))
      const results = outcomes.map(outcome => carriedOut<Send>(outcome))
      expect(results.filter(result => !result.repeated)).toHaveLength(1)
      expect(new Set(results.map(result => result.seq)).size).toBe(1)
      expect(inboxOf(state, 'ben')).toEqual(['hello'])
    })

    test.each<[string, Partial<Send>]>([
      ['another text', { body: 'other' }],
      ['another recipient', { to: ['cat'] }],
      ['one recipient more', { to: ['ben', 'cat'] }],
      ['an intent', { intent: 'urgent' }],
      ['an end', { expiresInS: 60 }],
      ['a message it replies to', { replyTo: newMessageId() }],
      ['another sender', { by: 3 }],
    ])('a stored id with %s is a conflict, and the first message is unchanged', async (_, change) => {
      const { journal, state } = await start()
      const command = send()
      await journal.submit(command)
      expect(await journal.submit({ ...command, ...change })).toMatchObject({
        ok: false,
        refusal: { code: 'conflict', why: { code: 'message_id_taken', id: command.id } },
      })
      expect(inboxOf(state, 'ben')).toEqual(['hello'])
      expect(inboxOf(state, 'cat')).toEqual([])
    })

    test('a refusal does not bind the id: it can be used for a valid message', async () => {
      const { journal, state } = await start()
      const command = send({ to: ['bne'] })
      expect(await journal.submit(command)).toMatchObject({ ok: false, refusal: { code: 'not_found' } })
      expect(carriedOut<Send>(await journal.submit({ ...command, to: ['ben'], body: 'right' })).repeated).toBe(false)
      expect(inboxOf(state, 'ben')).toEqual(['right'])
    })

    test('seq rises, and inboxes are in the order of submission', async () => {
      const { journal, state } = await start()
      const wanted = Array.from({ length: 700 }, (_, index) => `message ${index}`)
      const outcomes: Outcome<Send>[] = []
      // Some senders wait for the response and some do not, like senders on many connections.
      for (let from = 0; from < wanted.length; ) {
        const together = from % 3 === 0 ? 1 : 50
        const bodies = wanted.slice(from, from + together)
        outcomes.push(...(await Promise.all(bodies.map(body => journal.submit(send({ body, to: ['ben', 'cat'] }))))))
        from += together
      }
      const seqs = outcomes.map(outcome => carriedOut<Send>(outcome).seq)
      expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b))
      expect(inboxOf(state, 'ben')).toEqual(wanted)
      expect(inboxOf(state, 'cat')).toEqual(wanted)
    })

    test('a refusal does not affect the other commands of its batch', async () => {
      const { journal, state } = await start()
      const outcomes = await Promise.all([
        journal.submit(send({ body: 'left' })),
        journal.submit(send({ to: ['ben', 'nobody'], body: 'refused' })),
        journal.submit(send({ body: 'right' })),
      ])
      expect(outcomes.map(outcome => outcome.ok)).toEqual([true, false, true])
      expect(inboxOf(state, 'ben')).toEqual(['left', 'right'])
    })

    test('close waits for submitted commands, which are then durable', async () => {
      const opened = await start()
      const submitted = Array.from({ length: 1200 }, (_, index) =>
        opened.journal.submit(send({ body: `message ${index}` })),
      )
      await opened.journal.close()
      const outcomes = await Promise.all(submitted)
      expect(outcomes.filter(outcome => outcome.ok)).toHaveLength(1200)
      await opened.crash()
      expect(inboxOf(opened.state, 'ben')).toHaveLength(1200)
    })

    test('after close every command is refused as unavailable, and not stored', async () => {
      const opened = await start()
      await opened.journal.close()
      await expect(opened.journal.submit(send())).rejects.toMatchObject({ code: 'unavailable', settled: false })
      await opened.reopen()
      expect(inboxOf(opened.state, 'ben')).toEqual([])
    })

    test('a second close has no effect, even during a submit', async () => {
      const { journal } = await start()
      const submitted = journal.submit(send())
      await Promise.all([journal.close(), journal.close()])
      expect(await submitted).toMatchObject({ ok: true })
      await journal.close()
    })
  })
}
