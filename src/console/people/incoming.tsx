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
  generic: 'Other',
}

const whereItGoes: Record<WebhookSource, string> = {
  github: 'Enter both in Settings → Webhooks of the repository or organization, with content type application/json.',
  gitlab: 'Enter both in Settings → Webhooks of the project or group.',
  alertmanager: 'Enter the URL in webhook_configs of a receiver.',
  generic: 'JSON that is posted to this URL is sent to the recipients as a message.',
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
      title="Incoming webhooks"
      hooks={hooks}
      emptyTitle="No incoming webhooks yet"
      empty="An incoming webhook is a secret URL. Events that GitHub, GitLab, Alertmanager or another service posts there are sent as messages to the members that you choose."
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
        ? `A test event of ${name} was stored for ${recipients.map(each => each.name).join(', ')}.`
        : `The test event was refused for ${refusals.map(each => `${each.name} (${each.reason ?? 'refused'})`).join(', ')}.`,
    )
    reload()
  }
  return (
    <li class="hook">
      <div class="grow stack tight">
        <p class="row">
          <Name of={name} /> <Badge>{sourceNames[source]}</Badge>
          {revoked && <Badge tone="bad">revoked: create a new secret</Badge>}
          {failedAs !== null && <Badge tone="info">failures are requests</Badge>}
        </p>
        <p class="hint">
          To <Line max={200}>{to.join(', ')}</Line>
          {boundTo.length > 0 && ` · from ${boundTo.join(', ')} only`}
        </p>
        <p class="hint">
          {last === null ? (
            'Not called since the hub started.'
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
        <Button onClick={() => open('change')}>Edit</Button>
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
          toast(`${name} was deleted. Its messages are kept.`)
        }}
      >
        <p>Its URL and secret stop working permanently. Messages that it sent are kept.</p>
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
    <Dialog title="Add an incoming webhook" onClose={close}>
      <form onSubmit={event => event.preventDefault()}>
        <Select
          label="Source"
          value={source.value}
          options={Object.entries(sourceNames)}
          onInput={value => {
            source.value = value as WebhookSource
            if (!isNamed.value) name.value = value
          }}
        />
        <Field
          label="Name"
          hint="The sender of its messages: a member of kind service."
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
          label="Send failures as requests"
          hint="A failed run or a firing alert is sent as a request; all other events as inform."
          checked={failedAs.value}
          onInput={value => (failedAs.value = value)}
        />
        {source.value === 'generic' && (
          <Check
            label="Require signed calls"
            hint="By Standard Webhooks. Otherwise the secret in the URL is sufficient."
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
      placeholder="by default: one line, the link and the actor"
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
    toast(`${name} was saved.`)
    close()
  }
  return (
    <Dialog title={`Edit ${name}`} onClose={close}>
      <form onSubmit={event => event.preventDefault()}>
        <NameField
          label="To"
          hint="Members, groups or all, separated by commas."
          value={to.value}
          onInput={value => (to.value = value)}
          known={known}
        />
        <TemplateField value={template.value} onInput={value => (template.value = value)} />
        <Check label="Send failures as requests" checked={failedAs.value} onInput={value => (failedAs.value = value)} />
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
    <Dialog title={`New secret for ${name}`} onClose={close}>
      <p>
        You get a new URL and a new signing secret. The current ones stay valid for 10 minutes, so that you can update
        the caller.
      </p>
      <Check
        label="Invalidate the current ones at once"
        hint="For secrets that may have leaked. Calls that still use them are refused."
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
          Create new secret
        </Button>
      </div>
    </Dialog>
  )
}
