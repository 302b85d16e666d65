import { effect, signal } from '@preact/signals'
import type { SendAnswer, SendRequest } from '../../protocol/messages.ts'
import { visibleLine } from '../../text/visible.ts'
import { call, HubError } from '../api.ts'
import { live } from '../live.ts'
import { session } from '../session.ts'
import { toast, toastError } from '../ui/toast.tsx'
import { owner, storage } from './drafts.ts'
import { Outbox, type Outgoing } from './outgoing.ts'
import { StoredValues } from './stored-values.ts'

/** Sends of the current member that the hub has not stored, oldest first. */
export const outgoing = signal<readonly Outgoing[]>([])

let outbox: Outbox | undefined

/** Called with each message that was stored, and where it was written. */
const storedListeners = new Set<(place: string, answer: SendAnswer) => void>()

export function onStored(then: (place: string, answer: SendAnswer) => void): () => void {
  storedListeners.add(then)
  return () => void storedListeners.delete(then)
}

// The sends of each member continue while that member is logged in, and stay in the browser afterwards.
effect(() => {
  const name = owner.value
  if (name === undefined || session.peek().state !== 'in') return
  const post = {
    send: (request: SendRequest) => call('sendMessage', { body: request }),
    isStored,
  }
  const mine = new Outbox(
    new StoredValues<Outgoing>('out', name, storage),
    post,
    items => (outgoing.value = items),
    ({ place }, answer) => {
      showOutcome(answer)
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

/**
 * Reports whether the hub has a message with this id, delivered or waiting for its time. Throws `HubError` if the hub cannot be reached.
 */
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

function showOutcome({ at, recipients }: SendAnswer): void {
  for (const { name, status, reason } of recipients) {
    if (status !== 'refused') continue
    const message = `The message to ${name} was refused: ${visibleLine(reason ?? 'no reason given', 300)}.`
    toastError(
      new HubError({
        code: 'forbidden',
        message,
        hint: recipients.length > 1 ? 'It was stored for the other recipients.' : '',
      }),
    )
  }
  if (at !== undefined) toast(`The message is scheduled for ${new Date(at).toLocaleString('en-GB')}.`)
}

/** Keeps the send and starts it; it is shown in `outgoing` until the hub has stored it. */
export function send(request: Outgoing['request'], place: string): void {
  outbox?.send(request, place, Date.now())
}

export function retrySend(id: string): void {
  outbox?.retry(id)
}

/**
 * Takes a send back, to be edited or discarded. Resolves to undefined if the hub has stored it already. Throws `HubError` if the hub cannot
 * be reached.
 */
export async function takeBackSend(id: string): Promise<Outgoing['request'] | undefined> {
  const taken = await outbox?.takeBack(id)
  return taken === 'stored' ? undefined : taken
}
