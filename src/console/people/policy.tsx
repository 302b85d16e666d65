import { useSignal } from '@preact/signals'
import { call } from '../api.ts'
import { Button } from '../ui/button.tsx'
import { Select } from '../ui/field.tsx'
import { Panel } from '../ui/panel.tsx'
import { Loaded } from '../ui/states.tsx'
import { toast } from '../ui/toast.tsx'
import { useAsk } from '../ui/use-ask.ts'
import { NameField, namesIn } from './names.tsx'
import { useReloadOn } from './use-reload.ts'

const meanings = [
  ['accept', 'Accept: Claude reads them'],
  ['hold', 'Hold: Claude sees the senders, its user reads the texts'],
  ['refuse', 'Refuse: senders get an error'],
] as const

/** The policy of a member, to view and change. Only for the member itself, its owner and an admin. */
export function PolicyPanel({ name, kind, known }: { name: string; kind: string; known: readonly string[] }) {
  const policy = useAsk(signal => call('getMemberPolicy', { params: { name }, signal }), [name])
  useReloadOn(['members'], policy.reload)
  return (
    <Panel title="Policy">
      <Loaded asked={policy} rows={2} what="the policy">
        {({ inbound, mute }) => (
          <Form
            key={`${inbound} ${mute.join(' ')}`}
            {...{ name, kind, known, inbound, mute }}
            onSaved={answer => (policy.value.value = answer)}
          />
        )}
      </Loaded>
    </Panel>
  )
}

function Form({
  name,
  kind,
  known,
  inbound,
  mute,
  onSaved,
}: {
  name: string
  kind: string
  known: readonly string[]
  inbound: string
  mute: readonly string[]
  onSaved: (answer: { inbound: string; mute: string[] }) => void
}) {
  const chosen = useSignal(inbound)
  const adding = useSignal('')
  const save = async (body: { inbound?: 'accept' | 'hold' | 'refuse'; mute?: string[] }, done: string) => {
    onSaved(await call('putMemberPolicy', { params: { name }, body }))
    toast(done)
  }
  return (
    <form class="stack" onSubmit={event => event.preventDefault()}>
      <div class="with-button">
        <Select
          label="Incoming messages"
          value={chosen.value}
          onInput={value => (chosen.value = value)}
          options={meanings.map(([value, words]) => [
            value,
            kind === 'machine'
              ? words
              : words
                  .replace('Claude reads them', 'they are read as usual')
                  .replace('Claude sees the senders, its user reads the texts', 'they are marked as held'),
          ])}
        />
        {chosen.value !== inbound && (
          <Button
            look="main"
            type="submit"
            onClick={() =>
              save(
                { inbound: chosen.value as 'accept' },
                `${name} now ${chosen.value === 'accept' ? 'accepts' : `${chosen.value}s`} messages.`,
              )
            }
          >
            Save
          </Button>
        )}
      </div>
      <div class="field">
        <span class="label">Muted senders: their messages are stored without a notice</span>
        <ul class="chips">
          {mute.map(sender => (
            <li key={sender} class="chip">
              {sender}
              <Button
                look="plain"
                icon="close"
                iconOnly
                onClick={() =>
                  save(
                    { mute: mute.filter(other => other !== sender) },
                    `${name} is notified of messages from ${sender} again.`,
                  )
                }
              >
                {`Unmute ${sender}`}
              </Button>
            </li>
          ))}
          {mute.length === 0 && <li class="hint">none</li>}
        </ul>
      </div>
      <div class="with-button">
        <NameField
          label="Mute a sender"
          value={adding.value}
          onInput={value => (adding.value = value)}
          known={known}
          placeholder="name"
        />
        <Button
          disabled={namesIn(adding.value).length === 0}
          onClick={async () => {
            await save({ mute: [...mute, ...namesIn(adding.value)] }, `${adding.value.trim()} is muted.`)
            adding.value = ''
          }}
        >
          Mute
        </Button>
      </div>
      {kind === 'machine' && (
        <p class="hint">
          If config.json on the machine sets <code>inbound</code> or <code>mute</code>, its next session restores those
          values.
        </p>
      )}
    </form>
  )
}
