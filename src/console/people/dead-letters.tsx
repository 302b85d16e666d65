import { useSignal } from '@preact/signals'
import { count } from '../../text/spans.ts'
import { call } from '../api.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Empty, Loaded } from '../ui/states.tsx'
import { Line } from '../ui/text.tsx'
import { Time } from '../ui/time.tsx'
import { toast } from '../ui/toast.tsx'
import { useAsk } from '../ui/use-ask.ts'

/** The dead letters of a webhook, to retry or to delete. */
export function DeadLettersDialog({
  name,
  reload,
  onClose,
}: {
  name: string
  reload: () => void
  onClose: () => void
}) {
  const letters = useAsk(signal => call('listDead', { params: { name }, signal }), [name])
  const dropping = useSignal<string | undefined>(undefined)
  const done = (words: string) => {
    toast(words)
    letters.reload()
    reload()
  }
  const retry = async (id: string) => {
    const { retried } = await call('retryDead', { params: { name, id } })
    done(retried > 0 ? 'The event is being retried.' : 'The event no longer exists.')
  }
  const retryAll = async () => {
    const { retried } = await call('retryAllDead', { params: { name } })
    done(`${count(retried, 'event')} ${retried === 1 ? 'is' : 'are'} being retried.`)
  }
  const drop = async () => {
    const { dropped } = await call('dropDead', { params: { name } })
    dropping.value = undefined
    done(`${count(dropped, 'event')} ${dropped === 1 ? 'was' : 'were'} deleted.`)
  }
  return (
    <Dialog title={`Dead letters of ${name}`} wide onClose={onClose}>
      <Loaded asked={letters} what="the dead letters">
        {({ dead, more }) =>
          dead.length === 0 ? (
            <Empty title="No dead letters" />
          ) : (
            <>
              <ul class="hooks letters">
                {dead.map(({ id, event, at, line, attempts, why, deadAt }) => (
                  <li key={id} class="hook">
                    <div class="grow stack tight">
                      <p class="row">
                        <Badge>{event}</Badge>
                        <Line max={200}>{line ?? 'The message is no longer stored.'}</Line>
                      </p>
                      <p class="hint">
                        Event of <Time at={at} />; given up <Time at={deadAt} /> after {count(attempts, 'attempt')}:{' '}
                        <Line max={200}>{why}</Line>
                      </p>
                    </div>
                    <Button onClick={() => retry(id)}>Retry</Button>
                  </li>
                ))}
              </ul>
              {more > 0 && <p class="hint">and {more} more</p>}
              {dropping.value === undefined ? (
                <div class="actions">
                  <Button look="danger" onClick={() => (dropping.value = '')}>
                    Delete all
                  </Button>
                  <Button look="main" onClick={retryAll}>
                    Retry all
                  </Button>
                </div>
              ) : (
                <form class="stack" onSubmit={event => event.preventDefault()}>
                  <Field
                    label={`Type ${name} to delete ${count(dead.length + more, 'event')} permanently`}
                    value={dropping.value}
                    onInput={value => (dropping.value = value)}
                    autoFocus
                  />
                  <div class="actions">
                    <Button onClick={() => (dropping.value = undefined)}>Cancel</Button>
                    <Button look="danger" type="submit" disabled={dropping.value.trim() !== name} onClick={drop}>
                      Delete all
                    </Button>
                  </div>
                </form>
              )}
            </>
          )
        }
      </Loaded>
    </Dialog>
  )
}
