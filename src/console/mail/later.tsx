import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { bytesInWords } from '../../text/bytes.ts'
import { visibleLine } from '../../text/visible.ts'
import { momentInWords } from '../../text/zone.ts'
import { call } from '../api.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Empty, Loaded } from '../ui/states.tsx'
import { Text } from '../ui/text.tsx'
import { now } from '../ui/time.tsx'
import { toast } from '../ui/toast.tsx'
import { useAsk } from '../ui/use-ask.ts'
import { Intent } from './message-row.tsx'
import { onStored } from './sends.ts'

/** A button with the number of scheduled messages, which opens their list. */
export function LaterButton() {
  const isOpen = useSignal(false)
  const later = useAsk(signal => call('listLater', { signal }), [])
  useEffect(() => onStored((_, { at }) => void (at !== undefined && later.reload())), [])
  const count = later.value.value?.messages.length ?? 0
  if (count === 0 && !isOpen.value) return null
  const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone
  return (
    <>
      <Button
        icon="clock"
        title={`${count} scheduled`}
        onClick={() => {
          later.reload()
          isOpen.value = true
        }}
      >
        {count}
        <span class="hidden"> scheduled</span>
      </Button>
      {isOpen.value && (
        <Dialog title="Scheduled messages" wide onClose={() => (isOpen.value = false)}>
          <Loaded asked={later} what="scheduled messages">
            {({ messages }) =>
              messages.length === 0 ? (
                <Empty title="No scheduled messages" icon="clock" />
              ) : (
                <ul class="later">
                  {messages.map(message => (
                    <li key={message.id} class="message">
                      <header>
                        <span>
                          to <bdi>{visibleLine(message.to.join(', '), 200)}</bdi>
                        </span>
                        {message.intent && <Intent of={{ intent: message.intent }} />}
                      </header>
                      <p class="hint">{momentInWords(Date.parse(message.at), timeZone, now.value)}</p>
                      <div class="body">
                        <Text>{message.beginning}</Text>
                        {message.beginning.length < message.bytes && message.bytes > 1000 && (
                          <p class="hint">… {bytesInWords(message.bytes)} in total</p>
                        )}
                      </div>
                      <footer>
                        <Button
                          onClick={async () => {
                            await call('cancelLater', { params: { id: message.id } })
                            toast('The scheduled message was cancelled.')
                            later.reload()
                          }}
                        >
                          Cancel message
                        </Button>
                      </footer>
                    </li>
                  ))}
                </ul>
              )
            }
          </Loaded>
        </Dialog>
      )}
    </>
  )
}
