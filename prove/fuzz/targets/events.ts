import * as z from 'zod'
import { eventSchemas, parseCursor, ReadyEvent, trafficSchemas } from '../../../src/protocol/events.ts'
import { bearer, HubWorld } from '../hub-world.ts'
import { Broken, filledIn, holdsNoSecret, jsonOf, objectOf, type Target } from '../target.ts'

/** Time without events after which a stream that has sent its backlog is closed, in ms. */
const silentMs = 15
const mostMs = 2000

const schemas: Record<string, z.ZodType> = { ...eventSchemas, ...trafficSchemas, ready: ReadyEvent }

/** Resumption of event streams: with a cursor, as a member, with concurrent changes. */
export const events: Target = {
  name: 'events',
  what: 'the resumption of streams of events',
  json: true,
  dictionary: [
    ...[
      'cursor',
      'as',
      'query',
      'meanwhile',
      'session',
      'with',
      'project',
      'delivery',
      'traffic',
      'send',
      'ack',
      'fetched',
      'accept',
      'headers',
    ],
    ...[
      'machine',
      'other',
      'human',
      'admin',
      '$epoch:$seq',
      '$epoch:0',
      '$epoch:1',
      '$epoch:9007199254740991',
      '$epoch:',
      'abc:5',
      '$epoch:-1',
      '$epoch:01',
      '*',
      'web',
    ],
  ],
  seeds: [
    { as: 'machine' },
    { as: 'machine', cursor: '$epoch:$seq', query: { with: 'delivery' }, meanwhile: ['send', 'ack'] },
    { as: 'other', cursor: '$epoch:3', meanwhile: ['fetched', 'ack'] },
    { as: 'human', query: { with: 'traffic' }, meanwhile: ['send', 'ack', 'send'] },
    { as: 'admin', cursor: '$epoch:5', query: { with: 'traffic' }, meanwhile: ['send'] },
    { as: 'machine', cursor: 'another:7', query: { session: 's1', project: 'web' } },
  ].map(each => JSON.stringify(each)),
  async open() {
    const world = await HubWorld.start()
    const streams = new Streams(world)
    return {
      run: input => streams.one(objectOf(jsonOf(input))),
      check: () => world.check(),
      close: () => world.close(),
    }
  },
}

interface Told {
  event: string
  id: string | undefined
  data: unknown
}

class Streams {
  readonly #world: HubWorld
  #epoch = ''
  #seq = 1

  constructor(world: HubWorld) {
    this.#world = world
  }

  async one(given: Record<string, unknown>): Promise<void> {
    const { tokens } = this.#world
    const filled = filledIn(given, { $epoch: () => this.#epoch, $seq: () => String(this.#seq) })
    const { as, cursor, query, meanwhile } = objectOf(filled)
    const role = as === 'other' || as === 'human' || as === 'admin' ? as : 'machine'
    const pairs = Object.entries(objectOf(query)).map(each =>
      each.map(part => encodeURIComponent(String(part).toWellFormed())).join('='),
    )
    const lastId = cursor === undefined ? undefined : String(cursor)
    if (lastId !== undefined && !/^[\t\x20-\x7e\x80-\xff]{0,2000}$/.test(lastId)) return
    const steps = Array.isArray(meanwhile) ? meanwhile.slice(0, 5).map(String) : []
    const headers = { ...bearer(tokens[role]), ...(lastId !== undefined && { 'last-event-id': lastId }) }
    const stream = await this.#read(`/v1/events?${pairs.join('&')}`.slice(0, 4000), headers, steps)
    if (stream === undefined) return
    this.#judge(stream, lastId)
  }

  /** Returns the events of the stream; undefined if it is properly refused. */
  async #read(path: string, headers: Record<string, string>, steps: string[]): Promise<string | undefined> {
    const stop = new AbortController()
    const timer = setTimeout(() => stop.abort(), mostMs)
    try {
      const answer = await fetch(new URL(path, this.#world.url), { headers, signal: stop.signal })
      if (answer.status >= 500)
        throw new Broken(`GET /v1/events answers ${answer.status}: ${(await answer.text()).slice(0, 300)}`)
      if (answer.status !== 200) return void (await answer.text())
      let text = ''
      const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
      const done = this.#carryOut(steps)
      for (;;) {
        const silence = new Promise<undefined>(resolve => setTimeout(resolve, silentMs, undefined))
        const part = await Promise.race([reader.read(), silence.then(() => done).then(() => undefined)])
        if (part === undefined || part.done) break
        text += part.value
      }
      await done
      return text
    } catch (error) {
      if (stop.signal.aborted) return undefined
      throw error
    } finally {
      clearTimeout(timer)
      stop.abort()
    }
  }

  async #carryOut(steps: string[]): Promise<void> {
    const { tokens } = this.#world
    for (const step of steps) {
      if (step === 'send')
        await this.#world.json(
          'POST',
          '/v1/messages',
          { to: ['seanclaude', 'sean'], body: 'hello' },
          bearer(tokens.other),
        )
      if (step !== 'ack' && step !== 'fetched') continue
      const inbox = await this.#world.ask({ path: '/v1/inbox?limit=3', headers: bearer(tokens.machine) })
      const ids = (JSON.parse(inbox.text) as { messages: { id: string }[] }).messages.map(({ id }) => id)
      const body = step === 'ack' ? { ids } : { ids, session: 's1' }
      if (ids.length > 0) await this.#world.json('POST', `/v1/inbox/${step}`, body, bearer(tokens.machine))
    }
  }

  #judge(text: string, lastId: string | undefined): void {
    holdsNoSecret('a stream', text, this.#world.secrets)
    const told = toldIn(text)
    let last = -1
    for (const { event, id, data } of told) {
      const schema = schemas[event]
      if (!schema) throw new Broken(`a stream tells '${event}'`)
      const fits = schema.safeParse(data)
      if (!fits.success) throw new Broken(`an event '${event}' does not fit its schema: ${z.prettifyError(fits.error)}`)
      if (id === undefined) continue
      const cursor = parseCursor(id)
      if (!cursor) throw new Broken(`a stream has the id '${id}'`)
      if (cursor.seq < last) throw new Broken(`a stream goes back from ${last} to ${cursor.seq}`)
      last = cursor.seq
      this.#epoch = cursor.epoch
      this.#seq = cursor.seq
    }
    const from = lastId === undefined ? undefined : parseCursor(lastId)
    const first = told.find(({ event }) => event === 'inbox')?.data as { seq: number } | undefined
    if (from?.epoch === this.#epoch && from.seq <= this.#seq && first && first.seq <= from.seq)
      throw new Broken(`a stream behind ${from.seq} tells of ${first.seq}`)
  }
}

function toldIn(text: string): Told[] {
  const blocks = text.split('\n\n').slice(0, -1)
  return blocks.flatMap(block => {
    const fields = new Map(
      block.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
    )
    const data = fields.get('data')
    if (data === undefined) return []
    const value = jsonOf(Buffer.from(data))
    if (value === undefined) throw new Broken(`an event has no JSON: ${data.slice(0, 200)}`)
    return [{ event: fields.get('event') ?? 'message', id: fields.get('id'), data: value }]
  })
}
