import { effect, signal } from '@preact/signals'
import { createParser } from 'eventsource-parser'
import { useEffect } from 'preact/hooks'
import type * as z from 'zod'
import type { ChangeEvent, PresenceEvent, TrafficEvent } from '../protocol/events.ts'
import { HubError, reach, refusalOf } from './api.ts'
import { session } from './session.ts'

/** A message was stored that the reader may see. Untrusted text. */
export type Traffic = z.infer<typeof TrafficEvent>

/** A change of a delivery that the reader may see. */
export type Change = z.infer<typeof ChangeEvent>

/** The events of the stream by their names. `members`: members, owners, names, groups, policies or brakes changed. */
export interface LiveEvents {
  traffic: Traffic
  change: Change
  members: Record<string, never>
  presence: z.infer<typeof PresenceEvent>
  /** The stream resumed at another position of the history, or after a long time: reload what is shown. */
  reset: Record<string, never>
}

/** `open`: what is shown is live. `waiting`: the stream broke, and is opened again at `retryAt` (ms since 1970). */
export type LiveState = { state: 'off' | 'connecting' | 'open' } | { state: 'waiting'; retryAt: number }

/** State of the one stream of this page. */
export const live = signal<LiveState>({ state: 'off' })

type Listener = (event: LiveEvents[keyof LiveEvents]) => void
const listeners = new Map<keyof LiveEvents, Set<Listener>>()

/** Calls `then` for each event of this name, until the returned function is called. */
export function onLive<Name extends keyof LiveEvents>(name: Name, then: (event: LiveEvents[Name]) => void): () => void {
  const all = listeners.get(name) ?? new Set()
  listeners.set(name, all.add(then as Listener))
  return () => void all.delete(then as Listener)
}

/** In a component: calls `then` for each event of this name while the component is mounted. `deps` as for `useEffect`. */
export function useLive<Name extends keyof LiveEvents>(
  name: Name,
  then: (event: LiveEvents[Name]) => void,
  deps: readonly unknown[] = [],
): void {
  useEffect(() => onLive(name, then), [name, ...deps])
}

function emit<Name extends keyof LiveEvents>(name: Name, event: LiveEvents[Name]): void {
  for (const then of listeners.get(name) ?? []) then(event)
}

/** Pauses between attempts, in ms: doubled from the first to the last, each shortened at random by up to half. */
const pauses = { first: 500, last: 30_000 }

/** Time without a comment (one comes every 15 s) after which the connection counts as broken, in ms. */
const silenceMs = 40_000

let cursor: string | undefined
let wake = () => {}

// One stream for each page, while a member is logged in.
effect(() => {
  if (session.value.state !== 'in') return
  const stop = new AbortController()
  void follow(stop.signal)
  return () => stop.abort()
})

addEventListener('online', () => wake())
document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && wake())

/** Retries at once if the stream is waiting for its next attempt. */
export function retryNow(): void {
  wake()
}

async function follow(signal: AbortSignal): Promise<void> {
  let pause = pauses.first
  cursor = undefined
  while (!signal.aborted) {
    if (live.peek().state !== 'waiting') live.value = { state: 'connecting' }
    try {
      await readStream(signal, () => (pause = pauses.first))
    } catch (error) {
      // The hub no longer has this cursor: start with new events.
      if (error instanceof HubError && error.code === 'invalid') cursor = undefined
    }
    if (signal.aborted) break
    const waitMs = pause * (1 - Math.random() / 2)
    live.value = { state: 'waiting', retryAt: Date.now() + waitMs }
    pause = Math.min(pause * 2, pauses.last)
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, waitMs)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
      signal.addEventListener('abort', wake, { once: true })
    })
    wake = () => {}
  }
  live.value = { state: 'off' }
}

/** Reads one stream from `cursor` until it ends. Throws `HubError`. */
async function readStream(signal: AbortSignal, opened: () => void): Promise<void> {
  const end = new AbortController()
  const either = AbortSignal.any([signal, end.signal])
  let silence = setTimeout(() => end.abort(), silenceMs)
  try {
    const response = await reach('GET', '/v1/events?with=traffic', {
      headers: { accept: 'text/event-stream', ...(cursor !== undefined && { 'last-event-id': cursor }) },
      signal: either,
    })
    if (!response.ok) throw refusalOf(response, await response.json().catch(() => undefined))
    opened()
    live.value = { state: 'open' }
    const parser = createParser({
      onEvent: ({ event, data, id }) => {
        if (event === 'ready' && cursor !== undefined && id !== undefined && epochOf(id) !== epochOf(cursor))
          emit('reset', {})
        cursor = id ?? cursor
        dispatch(event, data)
      },
    })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      clearTimeout(silence)
      silence = setTimeout(() => end.abort(), silenceMs)
      parser.feed(value)
    }
  } finally {
    clearTimeout(silence)
  }
}

function epochOf(at: string): string {
  return at.split(':')[0]!
}

function dispatch(event: string | undefined, data: string): void {
  if (event === undefined || event === 'ready' || event === 'position') return
  const parsed = JSON.parse(data)
  if (event === 'reload') emit('reset', {})
  else if (event === 'presences') {
    for (const member of parsed.members) emit('presence', member)
    if (parsed.more > 0) emit('members', {})
  } else emit(event as keyof LiveEvents, parsed)
}
