import { useSignal } from '@preact/signals'
import type { InviteAnswer } from '../../protocol/members.ts'
import { count } from '../../text/spans.ts'
import { call } from '../api.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Confirm, Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Panel } from '../ui/panel.tsx'
import { Table } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { toast } from '../ui/toast.tsx'
import type { Listed } from './directory.ts'
import { Invitation } from './invitation.tsx'
import { InviteDialog } from './invite.tsx'
import { rangesIn } from './ranges.ts'

/** The tokens of a member, for an admin: age, allowed addresses, and buttons to replace or revoke them. */
export function AccessPanel({
  member,
  people,
  reload,
}: {
  member: Listed
  people: readonly string[]
  reload: () => void
}) {
  const { name, kind, tokens = [], boundTo = [] } = member
  const open = useSignal<'rotate' | 'invite' | 'revoke' | 'bind' | undefined>(undefined)
  const close = () => {
    open.value = undefined
    reload()
  }
  const hasToken = tokens.length > 0
  return (
    <Panel title="Access" flush>
      {hasToken ? (
        <Table
          caption={`Tokens of ${name}`}
          rows={[...tokens].reverse()}
          keyOf={({ id }) => id}
          columns={[
            {
              head: 'Token',
              narrow: 'title',
              cell: ({ id, isReplaced }) => (
                <span class="row">
                  <code>{id}</code> {isReplaced && <Badge>replaced</Badge>}
                </span>
              ),
            },
            { head: 'Created', cell: ({ createdAt }) => <Time at={createdAt} /> },
            { head: 'Last used', cell: ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : <Time at={lastUsedAt} />) },
            {
              head: 'Expires',
              cell: ({ endsAt }) => (endsAt === null ? 'when revoked' : <Time at={endsAt} as="moment" />),
            },
          ]}
        />
      ) : (
        <p class="inset hint">
          {name} has no token, so it cannot connect{member.telegram ? ', except on Telegram' : ''}. Messages wait in its
          inbox.
        </p>
      )}
      <div class="inset stack">
        <p>
          {boundTo.length === 0
            ? 'Its tokens are valid from every network that the hub serves.'
            : `Its tokens are valid only from ${boundTo.join(', ')}.`}
        </p>
        <div class="actions">
          {hasToken && <Button onClick={() => (open.value = 'rotate')}>New token</Button>}
          <Button onClick={() => (open.value = 'invite')}>{hasToken ? 'Invite again' : 'Invite'}</Button>
          <Button onClick={() => (open.value = 'bind')}>Bind to addresses</Button>
          {hasToken && (
            <Button look="danger" onClick={() => (open.value = 'revoke')}>
              Revoke
            </Button>
          )}
        </div>
      </div>
      {open.value === 'rotate' && <RotateDialog name={name} onClose={close} />}
      {open.value === 'invite' && (
        <InviteDialog {...{ people, name }} kind={kind === 'human' ? 'human' : 'machine'} onClose={close} />
      )}
      {open.value === 'bind' && <BindDialog {...{ name, boundTo }} onClose={close} />}
      {open.value === 'revoke' && <Revoke name={name} onClose={close} />}
    </Panel>
  )
}

function RotateDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const made = useSignal<InviteAnswer | undefined>(undefined)
  return (
    <Dialog
      title={`New token for ${name}`}
      wide={made.value !== undefined}
      keep={made.value !== undefined}
      onClose={onClose}
    >
      {made.value ? (
        <Invitation made={made.value} isRotation />
      ) : (
        <p>
          You get a join line to run on {name}. Its current token stays valid for 10 minutes after that, so that
          sessions can be restarted.
        </p>
      )}
      <div class="actions">
        <Button onClick={onClose}>{made.value ? 'Done' : 'Cancel'}</Button>
        {!made.value && (
          <Button look="main" onClick={async () => (made.value = await call('rotateMember', { params: { name } }))}>
            Create join line
          </Button>
        )}
      </div>
    </Dialog>
  )
}

function BindDialog({ name, boundTo, onClose }: { name: string; boundTo: readonly string[]; onClose: () => void }) {
  const typed = useSignal(boundTo.join(', '))
  const save = async () => {
    const { ranges } = await call('bindMember', { params: { name }, body: { ranges: rangesIn(typed.value) } })
    toast(
      ranges.length === 0
        ? `Tokens of ${name} are valid from anywhere.`
        : `Tokens of ${name} are valid only from ${ranges.join(', ')}.`,
    )
    onClose()
  }
  return (
    <Dialog title={`Bind tokens of ${name} to addresses`} onClose={onClose}>
      <form onSubmit={event => event.preventDefault()}>
        <Field
          label="Address ranges"
          hint="Ranges such as 10.0.3.0/24 or fd00::/8, addresses, or loopback, separated by commas. If empty, tokens are valid from anywhere. A machine that connects through ssh has the address of its ssh host, or loopback."
          rows={2}
          value={typed.value}
          onInput={value => (typed.value = value)}
          placeholder="anywhere"
          autoFocus
        />
        <div class="actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button look="main" type="submit" onClick={save}>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function Revoke({ name, onClose }: { name: string; onClose: () => void }) {
  return (
    <Confirm
      title={`Revoke the tokens of ${name}`}
      word={name}
      action="Revoke"
      onClose={onClose}
      onDo={async () => {
        const { revoked, later } = await call('revokeMember', { params: { name } })
        const cancelled = later
          ? ` ${count(later, 'scheduled message')} ${later === 1 ? 'was' : 'were'} cancelled.`
          : ''
        toast(`${revoked === 0 ? `${name} had no token.` : `The tokens of ${name} were revoked.`}${cancelled}`)
      }}
    >
      <p>
        All tokens and console sessions of {name} end at once. Its scheduled messages are cancelled. Its inbox is kept;
        to restore access, invite {name} again.
      </p>
    </Confirm>
  )
}
