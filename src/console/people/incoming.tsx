import { useSignal } from '@preact/signals'
import type { Webhook, WebhookSecrets, WebhookSource } from '../../protocol/webhooks.ts'
import { call } from '../api.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Confirm, Dialog } from '../ui/dialog.tsx'
import { Check, Field, Select } from '../ui/field.tsx'
import { Name } from '../ui/name.tsx'
import { Line } from '../ui/text.tsx'
import { Time } from '../ui/time.tsx'
import { toast } from '../ui/toast.tsx'
import { useAsk } from '../ui/use-ask.ts'
import { NameField, namesIn } from './names.tsx'
import { useReloadEvery } from './use-reload.ts'
import { WebhookSecret } from './webhook-secret.tsx'
import { WebhooksPanel } from './webhooks-panel.tsx'

const sourceNames: Record<WebhookSource, string> = {
  github: 'GitHub',
  gitlab: 'GitLab',
  alertmanager: 'Alertmanager',
  generic: 'Anything else',
}

const whereItGoes: Record<WebhookSource, string> = {
  github: 'Put both into Settings → Webhooks of the repository or organization, with content type application/json.',
  gitlab: 'Put both into Settings → Webhooks of the project or group.',
  alertmanager: 'Put the URL into webhook_configs of a receiver.',
  generic: 'Whatever posts JSON to this URL writes to its recipients.',
}

type Open =
  | { what: 'add' }
  | { what: 'change' | 'rotate' | 'delete'; hook: Webhook }
  | { what: 'secret'; made: WebhookSecrets }

/** Incoming webhooks: each is a member of kind service, and writes to others. */
export function IncomingPanel({ known }: { known: readonly string[] }) {
  const hooks = useAsk(signal => call('listWebhooks', { signal }), [])
  useReloadEvery(15_000, hooks.reload)
  const open = useSignal<Open | undefined>(undefined)
  const close = () => {
    open.value = undefined
    hooks.reload()
  }
  const show = (made: WebhookSecrets) => (open.value = { what: 'secret', made })
  return (
    <WebhooksPanel
      title="Events from outside"
      hooks={hooks}
      emptyTitle="No webhooks yet"
      empty="A webhook is a secret URL. Whatever GitHub, GitLab, Alertmanager or another service posts there is sent as a message to the members that you choose."
      onAdd={() => (open.value = { what: 'add' })}
      item={hook => (
        <Item key={hook.name} hook={hook} open={what => (open.value = { what, hook })} reload={hooks.reload} />
      )}
    >
      <Dialogs open={open.value} {...{ known, show, close }} />
    </WebhooksPanel>
  )
}

function Item({
  hook,
  open,
  reload,
}: {
  hook: Webhook
  open: (what: 'change' | 'rotate' | 'delete') => void
  reload: () => void
}) {
  const { name, source, to, failedAs, last, stored, refused, revoked, boundTo } = hook
  const test = async () => {
    const { recipients } = await call('testWebhook', { params: { name } })
    const refusals = recipients.filter(({ status }) => status === 'refused')
    toast(
      refusals.length === 0
        ? `An example of ${name} was stored for ${recipients.map(each => each.name).join(', ')}.`
        : `Not everybody took the example: ${refusals.map(each => `${each.name} (${each.reason ?? 'refused'})`).join(', ')}.`,
    )
    reload()
  }
  return (
    <li class="hook">
      <div class="grow stack tight">
        <p class="row">
          <Name of={name} /> <Badge>{sourceNames[source]}</Badge>
          {revoked && <Badge tone="bad">revoked: make a new URL</Badge>}
          {failedAs !== null && <Badge tone="info">failures are requests</Badge>}
        </p>
        <p class="hint">
          To <Line max={200}>{to.join(', ')}</Line>
          {boundTo.length > 0 && ` · from ${boundTo.join(', ')} only`}
        </p>
        <p class="hint">
          {last === null ? (
            'Not called since the hub was started.'
          ) : (
            <>
              Last called <Time at={last.at} />: <Line max={80}>{last.event}</Line>, <Line max={80}>{last.result}</Line>
              {last.why !== undefined && <Line max={200}>{` (${last.why})`}</Line>} · {stored} stored, {refused} refused
            </>
          )}
        </p>
      </div>
      <div class="actions">
        <Button onClick={test}>Test</Button>
        <Button onClick={() => open('change')}>Change</Button>
        <Button onClick={() => open('rotate')}>New secret</Button>
        <Button look="danger" onClick={() => open('delete')}>
          Delete
        </Button>
      </div>
    </li>
  )
}

function Dialogs({
  open,
  known,
  show,
  close,
}: {
  open: Open | undefined
  known: readonly string[]
  show: (made: WebhookSecrets) => void
  close: () => void
}) {
  if (!open) return null
  if (open.what === 'add') return <AddDialog {...{ known, show, close }} />
  if (open.what === 'change') return <ChangeDialog {...{ hook: open.hook, known, close }} />
  if (open.what === 'rotate') return <RotateDialog {...{ hook: open.hook, show, close }} />
  if (open.what !== 'secret') {
    const { name } = open.hook
    return (
      <Confirm
        title={`Delete ${name}`}
        word={name}
        action="Delete the webhook"
        onClose={close}
        onDo={async () => {
          await call('deleteWebhook', { params: { name } })
          toast(`${name} is deleted; its messages stay.`)
        }}
      >
        <p>Its URL and secret stop working for good. The messages that it wrote stay.</p>
      </Confirm>
    )
  }
  const { made } = open
  return <WebhookSecret title={`URL of ${made.name}`} {...made} hint={whereItGoes[made.source]} onClose={close} />
}

function AddDialog({
  known,
  show,
  close,
}: {
  known: readonly string[]
  show: (made: WebhookSecrets) => void
  close: () => void
}) {
  const source = useSignal<WebhookSource>('github')
  const name = useSignal('github')
  const to = useSignal('')
  const template = useSignal('')
  const failedAs = useSignal(false)
  const signed = useSignal(false)
  const isNamed = useSignal(false)
  const add = async () => {
    const made = await call('addWebhook', {
      body: {
        name: name.value.trim().toLowerCase(),
        source: source.value,
        to: namesIn(to.value),
        ...(template.value.trim() !== '' && { template: template.value }),
        ...(failedAs.value && { failedAs: 'request' as const }),
        ...(source.value === 'generic' && signed.value && { signed: true as const }),
      },
    })
    show(made)
  }
  return (
    <Dialog title="Add a webhook" onClose={close}>
      <form onSubmit={event => event.preventDefault()}>
        <Select
          label="What calls it"
          value={source.value}
          options={Object.entries(sourceNames)}
          onInput={value => {
            source.value = value as WebhookSource
            if (!isNamed.value) name.value = value
          }}
        />
        <Field
          label="Name"
          hint="It is a member of kind service: messages come from this name."
          value={name.value}
          onInput={value => {
            isNamed.value = true
            name.value = value
          }}
        />
        <NameField
          label="To"
          hint="Members, groups or all, separated by commas."
          value={to.value}
          onInput={value => (to.value = value)}
          known={known}
          placeholder="backend"
          autoFocus
        />
        <TemplateField value={template.value} onInput={value => (template.value = value)} />
        <Check
          label="What failed asks for an answer"
          hint="A failed run or a firing alert becomes a request; everything else informs."
          checked={failedAs.value}
          onInput={value => (failedAs.value = value)}
        />
        {source.value === 'generic' && (
          <Check
            label="Calls must be signed"
            hint="By Standard Webhooks; without it the secret in the URL alone lets a call in."
            checked={signed.value}
            onInput={value => (signed.value = value)}
          />
        )}
        <div class="actions">
          <Button onClick={close}>Cancel</Button>
          <Button
            look="main"
            type="submit"
            disabled={name.value.trim() === '' || namesIn(to.value).length === 0}
            onClick={add}
          >
            Add
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function TemplateField({ value, onInput }: { value: string; onInput: (value: string) => void }) {
  return (
    <Field
      label="Template"
      hint="Text of a message, with {{line}}, {{link}}, {{actor}}, {{event}} or {{payload.PATH}}."
      rows={2}
      value={value}
      onInput={onInput}
      placeholder="one line, the link, and who did it"
    />
  )
}

function ChangeDialog({ hook, known, close }: { hook: Webhook; known: readonly string[]; close: () => void }) {
  const { name } = hook
  const to = useSignal(hook.to.join(', '))
  const template = useSignal(hook.template ?? '')
  const failedAs = useSignal(hook.failedAs !== null)
  const save = async () => {
    await call('changeWebhook', {
      params: { name },
      body: {
        to: namesIn(to.value),
        template: template.value.trim() === '' ? null : template.value,
        failedAs: failedAs.value ? 'request' : null,
      },
    })
    toast(`${name} is changed.`)
    close()
  }
  return (
    <Dialog title={`Change ${name}`} onClose={close}>
      <form onSubmit={event => event.preventDefault()}>
        <NameField
          label="To"
          hint="Members, groups or all, separated by commas."
          value={to.value}
          onInput={value => (to.value = value)}
          known={known}
        />
        <TemplateField value={template.value} onInput={value => (template.value = value)} />
        <Check
          label="What failed asks for an answer"
          checked={failedAs.value}
          onInput={value => (failedAs.value = value)}
        />
        <div class="actions">
          <Button onClick={close}>Cancel</Button>
          <Button look="main" type="submit" disabled={namesIn(to.value).length === 0} onClick={save}>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function RotateDialog({
  hook: { name },
  show,
  close,
}: {
  hook: Webhook
  show: (made: WebhookSecrets) => void
  close: () => void
}) {
  const atOnce = useSignal(false)
  return (
    <Dialog title={`A new secret for ${name}`} onClose={close}>
      <p>
        You get a new URL and a new signing secret. The current ones stay valid for 10 minutes, so that the caller can
        be changed.
      </p>
      <Check
        label="End the old ones at once"
        hint="If somebody else may have them. Calls with the old ones are then refused."
        checked={atOnce.value}
        onInput={value => (atOnce.value = value)}
      />
      <div class="actions">
        <Button onClick={close}>Cancel</Button>
        <Button
          look={atOnce.value ? 'danger' : 'main'}
          onClick={async () =>
            show(await call('rotateWebhook', { params: { name }, query: atOnce.value ? { now: 'true' } : {} }))
          }
        >
          Make new ones
        </Button>
      </div>
    </Dialog>
  )
}
