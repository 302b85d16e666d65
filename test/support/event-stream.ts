import { onTestFinished } from 'vitest'
import { until } from './until.ts'

/** An event as received. */
export interface RawEvent {
  event: string
  data: Record<string, unknown>
  id?: string
}

/** One stream of server-sent events, parsed without code of the program. Closed with the running test. */
export class EventStream {
  readonly events: RawEvent[] = []
  readonly #stop = new AbortController()

  /** Resolves once the hub has responded; rejects with the status if it is not 200. */
  static async open(url: URL, token: string, lastEventId?: string): Promise<EventStream> {
    const stream = new EventStream()
    const headers = { authorization: `Bearer ${token}`, ...(lastEventId && { 'last-event-id': lastEventId }) }
    const response = await fetch(url, { headers, signal: stream.#stop.signal })
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
    void stream.#read(response.body!.pipeThrough(new TextDecoderStream())).catch(() => {})
    onTestFinished(() => stream.close())
    return stream
  }

  /** Returns the data of the events of this name so far. */
  of(event: string): Record<string, unknown>[] {
    return this.events.flatMap(each => (each.event === event ? [each.data] : []))
  }

  /** Resolves with the data of the events of this name, once there are `count`. */
  async next(event: string, count = 1): Promise<Record<string, unknown>[]> {
    await until(`${count} ${event}`, () => this.of(event).length >= count)
    return this.of(event)
  }

  /** The last cursor received. */
  get cursor(): string | undefined {
    return this.events.findLast(({ id }) => id !== undefined)?.id
  }

  close(): void {
    this.#stop.abort()
  }

  async #read(chunks: ReadableStream<string>): Promise<void> {
    let text = ''
    for await (const chunk of chunks) {
      text += chunk
      const blocks = text.split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) {
        const fields = new Map(block.split('\n').map(line => [line.split(': ')[0], line.slice(line.indexOf(': ') + 2)]))
        const [event, data, id] = [fields.get('event'), fields.get('data'), fields.get('id')]
        if (event) this.events.push({ event, data: JSON.parse(data!), ...(id !== undefined && { id }) })
      }
    }
  }
}
