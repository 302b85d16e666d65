import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Text } from '../ui/text.tsx'
import { Time } from '../ui/time.tsx'
import { toast } from '../ui/toast.tsx'
import { Body } from './body.tsx'
import type { Draft } from './draft.ts'
import type { Outgoing } from './outgoing.ts'
import { retrySend, takeBackSend } from './sends.ts'

/** A send that the hub has not stored: why it waits or was refused, and what can be done. `onTaken` receives a send that is taken back for changes. */
export function OutgoingRow({ item, onTaken }: { item: Outgoing; onTaken: (part: Partial<Draft>) => void }) {
  const { request, state, why, since } = item
  const takeBack = async (then: (taken: Outgoing['request']) => void) => {
    const taken = await takeBackSend(request.id)
    if (taken) then(taken)
    else toast('The hub has already stored this message.')
  }
  return (
    <article class={`message mine outgoing ${state}`}>
      <header>
        <Badge tone={state === 'refused' ? 'bad' : 'warn'}>
          {state === 'sending' ? 'sending' : state === 'waiting' ? 'not stored yet' : 'refused'}
        </Badge>
        <span class="hint">to {[request.to].flat().join(', ')}</span>
        <Time at={new Date(since).toISOString()} as="moment" />
      </header>
      <Body of={request} />
      {why && (
        <p class={state === 'refused' ? 'why bad' : 'why'} role="status">
          <Text>{why.message}</Text> <Text>{why.hint}</Text>
          {state === 'waiting' && ' The message is stored in this browser, and sending is retried automatically.'}
        </p>
      )}
      {state !== 'sending' && (
        <footer>
          <Button onClick={() => retrySend(request.id)}>{state === 'refused' ? 'Send again' : 'Retry now'}</Button>
          <Button onClick={() => takeBack(taken => onTaken(draftOf(taken)))}>Edit</Button>
          <Button onClick={() => takeBack(() => toast('The message was discarded.'))}>Discard</Button>
        </footer>
      )}
    </article>
  )
}

/** Returns a send as a draft. The time of a scheduled message must be typed again. */
function draftOf({ to, body, intent, replyTo, answersFor }: Outgoing['request']): Partial<Draft> {
  return {
    to: [to].flat().join(', '),
    body,
    intent: intent ?? '',
    ...(replyTo !== undefined && { replyTo }),
    ...(answersFor !== undefined && { answersFor }),
  }
}
