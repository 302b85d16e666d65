import { computed, effect, signal } from '@preact/signals'
import type { SendAnswer, SendRequest } from '../../protocol/messages.ts'
import { visibleLine } from '../../text/visible.ts'
import { ask, call, HubError } from '../api.ts'
import { live } from '../live.ts'
import { session, who } from '../session.ts'
import { toast, toastError } from '../ui/toast.tsx'
import type { Draft } from './draft.ts'
import { Kept } from './kept.ts'
import { Outbox, type Outgoing } from './outgoing.ts'

/** Key of a draft and its sends: a conversation, or `new`. */
export function placeOf(of: string, other: string): string {
  return `${of}/${other}`
}

/** Sends of the current member that the hub has not stored, oldest first. */
export const outgoing = signal<readonly Outgoing[]>([])

/** Counter of changes of drafts, for lists that mark conversations with one. */
export const draftsVersion = signal(0)

const storage = (() => {
  try {
    return localStorage
  } catch {
    return undefined
  }
})()

const owner = computed(() => who.value?.name)
const drafts = computed(() => new Kept<Draft>('draft', owner.value ?? '', storage))
let outbox: Outbox | undefined

/** Called with each message that was stored, and where it was written. */
const storedListeners = new Set<(place: string, answer: SendAnswer) => void>()

export function onStored(then: (place: string, answer: SendAnswer) => void): () => void {
  storedListeners.add(then)
  return () => void storedListeners.delete(then)
}

// The sends of each member go on while that member is logged in, and stay in the browser after.
effect(() => {
  const name = owner.value
  if (name === undefined || session.peek().state !== 'in') return
  const post = {
    send: (request: SendRequest) => call('sendMessage', { body: request }),
    isStored,
  }
  const mine = new Outbox(
    new Kept<Outgoing>('out', name, storage),
    post,
    items => (outgoing.value = items),
    ({ place }, answer) => {
      tellOutcome(answer)
      for (const then of storedListeners) then(place, answer)
    },
  )
  outbox = mine
  const reload = (event: StorageEvent) => event.key?.startsWith('claude-net/out/') && mine.reload()
  addEventListener('storage', reload)
  // An open stream shows that the hub is reachable again.
  const stop = effect(() => {
    if (live.value.state === 'open') mine.wake()
  })
  return () => {
    stop()
    removeEventListener('storage', reload)
    mine.close()
    outbox = undefined
    outgoing.value = []
  }
})

/** Whether the hub has a message of this id, delivered or waiting for its time. Throws `HubError` if the hub cannot be asked. */
async function isStored(id: string): Promise<boolean> {
  try {
    await call('getMessage', { params: { id } })
    return true
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'not_found' || error.isOffline) throw error
  }
  const { messages } = await call('listLater')
  return messages.some(message => message.id === id)
}

function tellOutcome({ at, recipients }: SendAnswer): void {
  for (const { name, status, reason } of recipients) {
    if (status !== 'refused') continue
    const message = `${name} does not take the message: ${visibleLine(reason ?? 'it was refused', 300)}.`
    toastError(new HubError({ code: 'forbidden', message, hint: recipients.length > 1 ? 'Who took it has it.' : '' }))
  }
  if (at !== undefined) toast(`The message waits on the hub until ${new Date(at).toLocaleString('en-GB')}.`)
}

/** Keeps the send and starts it; it is shown in `outgoing` until the hub has stored it. */
export function send(request: Outgoing['request'], place: string): void {
  outbox?.send(request, place, Date.now())
}

export function retrySend(id: string): void {
  outbox?.retry(id)
}

/**
 * Takes a send back, to be changed or dropped. Resolves to undefined if the hub has stored it already. Throws `HubError` if the hub cannot be
 * asked.
 */
export async function takeBackSend(id: string): Promise<Outgoing['request'] | undefined> {
  const taken = await outbox?.takeBack(id)
  return taken === 'stored' ? undefined : taken
}

export function draftAt(place: string): Draft | undefined {
  return drafts.value.get(place)
}

/** Stores a draft, or deletes it if it is empty. */
export function keepDraft(place: string, draft: Draft): void {
  const isEmpty = draft.body.trim() === '' && draft.at === '' && (place !== 'new' || draft.to.trim() === '')
  if (isEmpty && draft.replyTo === undefined) drafts.value.delete(place)
  else drafts.value.set(place, draft)
  draftsVersion.value++
}

/** Whether drafts and sends survive this page. */
export function draftsLast(): boolean {
  return drafts.value.isLasting
}

/** Marks messages as read. Throws `HubError`. */
export async function ack(ids: readonly string[]): Promise<void> {
  for (let start = 0; start < ids.length; start += 100) {
    await call('ackInbox', { body: { ids: ids.slice(start, start + 100) } })
  }
}

/** Ids of own messages that were shown and not yet reported. */
const seen = new Set<string>()

/** Records that a person was shown this message, for its receipt. Reported in one request after a moment. */
export function noteSeen(id: string): void {
  if (who.peek()?.role !== 'human' || document.visibilityState !== 'visible') return
  if (seen.size === 0) setTimeout(reportSeen, 400)
  seen.add(id)
}

async function reportSeen(): Promise<void> {
  const ids = [...seen].slice(0, 100)
  seen.clear()
  // A lost report is repeated when the message is next shown.
  await ask('POST', '/v1/inbox/fetched', { body: { ids, session: 'console' } }).catch(() => undefined)
}
