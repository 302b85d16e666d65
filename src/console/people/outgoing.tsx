import { useSignal } from '@preact/signals'
import type { OutgoingWebhook } from '../../protocol/outgoing.ts'
import { count } from '../../text/spans.ts'
import { call } from '../api.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Confirm, Dialog } from '../ui/dialog.tsx'
import { Check, Field } from '../ui/field.tsx'
import { Line } from '../ui/text.tsx'
import { Time } from '../ui/time.tsx'
import { toast } from '../ui/toast.tsx'
import { useAsk } from '../ui/use-ask.ts'
import { DeadLettersDialog } from './dead-letters.tsx'
import { useReloadEvery } from './use-reload.ts'
import { WebhookSecret } from './webhook-secret.tsx'
import { WebhooksPanel } from './webhooks-panel.tsx'

type Open =
  | { what: 'add' }
  | { what: 'dead' | 'rotate' | 'delete'; hook: OutgoingWebhook }
  | { what: 'secret'; name: string; signingSecret: string; isNew: boolean }

/** Webhooks that post events of the hub to a URL, with the state of their receivers. */
export function OutgoingPanel() {
  const hooks = useAsk(signal => call('listOutgoing', { signal }), [])
  useReloadEvery(10_000, hooks.reload)
  const open = useSignal<Open | undefined>(undefined)
  const close = () => {
    open.value = undefined
    hooks.reload()
  }
  return (
    <WebhooksPanel
      title="Outgoing webhooks"
      hooks={hooks}
      emptyTitle="No outgoing webhooks yet"
      empty="An outgoing webhook posts the events that you choose to a URL, such as that of Slack, e-mail or a pager. Posts are signed, and retried if they fail."
      onAdd={() => (open.value = { what: 'add' })}
      item={hook => (
        <Item key={hook.name} hook={hook} open={what => (open.value = { what, hook })} reload={hooks.reload} />
      )}
    >
      <Dialogs open={open.value} set={next => (open.value = next)} close={close} reload={hooks.reload} />
    </WebhooksPanel>
  )
}

function Item({
  hook,
  open,
  reload,
}: {
  hook: OutgoingWebhook
  open: (what: 'dead' | 'rotate' | 'delete') => void
  reload: () => void
}) {
  const { name, to, on, text, state, delivered, lastDeliveredAt, waiting, dead, trouble } = hook
  const test = async () => {
    const { delivered, status, why, ms } = await call('testOutgoing', { params: { name } })
    toast(
      delivered
        ? `${name} accepted a test event in ${ms} ms.`
        : `${name} did not accept the test event${status === null ? '' : ` (${status})`}: ${why ?? ''}`,
    )
    reload()
  }
  return (
    <li class="hook">
      <div class="grow stack tight">
        <p class="row">
          <b>{name}</b>
          {state === 'gone' && <Badge tone="bad">disabled: nothing is posted until a test succeeds</Badge>}
          {text && <Badge tone="warn">includes texts</Badge>}
          {waiting > 0 && <Badge tone="warn">{`${waiting} waiting`}</Badge>}
          {dead > 0 && <Badge tone="bad">{count(dead, 'dead letter')}</Badge>}
        </p>
        <p class="hint">
          To <Line max={120}>{to}</Line> on{' '}
          {on.map((filter, at) => (
            <span key={filter}>
              {at > 0 && ' or '}
              <code>{filter}</code>
            </span>
          ))}
        </p>
        <p class="hint">
          {lastDeliveredAt === null ? (
            'Nothing delivered yet.'
          ) : (
            <>
              Last delivered <Time at={lastDeliveredAt} />, {delivered} in total.
            </>
          )}
          {trouble !== null && (
            <span class="bad-words">
              {' Last attempt: '}
              <Line max={300}>{trouble}</Line>.
            </span>
          )}
        </p>
      </div>
      <div class="actions">
        <Button onClick={test}>Test</Button>
        {dead > 0 && <Button onClick={() => open('dead')}>Dead letters</Button>}
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
  set,
  close,
  reload,
}: {
  open: Open | undefined
  set: (next: Open) => void
  close: () => void
  reload: () => void
}) {
  if (!open) return null
  if (open.what === 'add') return <AddDialog {...{ set, close }} />
  if (open.what === 'dead') return <DeadLettersDialog name={open.hook.name} reload={reload} onClose={close} />
  if (open.what === 'secret') {
    return (
      <WebhookSecret
        title={`Signing secret of ${open.name}`}
        signingSecret={open.signingSecret}
        hint={
          open.isNew
            ? 'The receiver verifies posts of the hub with this secret (Standard Webhooks). A receiver that verifies nothing, such as Slack, does not need it.'
            : 'For 24 hours posts are signed with both secrets: update the receiver within that time.'
        }
        onClose={close}
      />
    )
  }
  const { name, waiting, dead } = open.hook
  if (open.what === 'rotate') {
    return <RotateDialog {...{ name, set, close }} />
  }
  return (
    <Confirm
      title={`Delete ${name}`}
      word={name}
      action="Delete the webhook"
      onClose={close}
      onDo={async () => {
        const { undelivered } = await call('deleteOutgoing', { params: { name } })
        toast(`${name} was deleted${undelivered > 0 ? `, with ${count(undelivered, 'undelivered event')}` : ''}.`)
      }}
    >
      <p>
        Posting stops, and its URL and secret are deleted permanently
        {waiting + dead > 0 && `, with ${count(waiting + dead, 'undelivered event')}`}.
      </p>
    </Confirm>
  )
}

function RotateDialog({ name, set, close }: { name: string; set: (next: Open) => void; close: () => void }) {
  return (
    <Dialog title={`New signing secret for ${name}`} onClose={close}>
      <p>For 24 hours each post is signed with both secrets, so that you can update the receiver.</p>
      <div class="actions">
        <Button onClick={close}>Cancel</Button>
        <Button
          look="main"
          onClick={async () =>
            set({ what: 'secret', isNew: false, ...(await call('rotateOutgoing', { params: { name } })) })
          }
        >
          Create new secret
        </Button>
      </div>
    </Dialog>
  )
}

function AddDialog({ set, close }: { set: (next: Open) => void; close: () => void }) {
  const url = useSignal('')
  const name = useSignal('')
  const on = useSignal('')
  const body = useSignal('')
  const text = useSignal(false)
  const filters = on.value
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean)
  const add = async () => {
    const made = await call('addOutgoing', {
      body: {
        url: url.value.trim(),
        on: filters,
        ...(name.value.trim() !== '' && { name: name.value.trim().toLowerCase() }),
        ...(body.value.trim() !== '' && { body: body.value }),
        ...(text.value && { text: true }),
      },
    })
    set({ what: 'secret', isNew: true, ...made })
  }
  return (
    <Dialog title="Add an outgoing webhook" wide onClose={close}>
      <form onSubmit={event => event.preventDefault()}>
        <Field
          label="URL"
          type="url"
          hint="The hub posts events to it. Only its host is shown later, since the rest is often secret."
          value={url.value}
          onInput={value => (url.value = value)}
          placeholder="https://hooks.slack.com/services/…"
          autoFocus
        />
        <Field
          label="Events"
          hint={
            <>
              One filter per line; an event that matches any of them is posted. <code>to seanclaude</code>,{' '}
              <code>from ovh5</code>, <code>intent urgent</code>, <code>expired</code>, <code>held</code>,{' '}
              <code>refused</code>, joined by <code>and</code>.
            </>
          }
          rows={2}
          value={on.value}
          onInput={value => (on.value = value)}
          placeholder="to sean and intent urgent"
        />
        <Field
          label="Name"
          hint="Optional. By default it is derived from the host of the URL."
          value={name.value}
          onInput={value => (name.value = value)}
          placeholder="slack"
        />
        <Field
          label="Body"
          hint="Optional. JSON with placeholders, whose values are escaped. By default the event itself is posted."
          rows={2}
          value={body.value}
          onInput={value => (body.value = value)}
          placeholder={'{"text": "{{line}}"}'}
        />
        <Check
          label="Include message texts"
          hint="Otherwise a post states who wrote to whom and when, but not the text."
          checked={text.value}
          onInput={value => (text.value = value)}
        />
        <div class="actions">
          <Button onClick={close}>Cancel</Button>
          <Button look="main" type="submit" disabled={url.value.trim() === '' || filters.length === 0} onClick={add}>
            Add
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
