import { useSignal } from '@preact/signals'
import type { InviteAnswer } from '../../protocol/members.ts'
import { call } from '../api.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field, Select } from '../ui/field.tsx'
import { Invitation } from './invitation.tsx'
import { NameField } from './names.tsx'
import { rangesIn } from './ranges.ts'

/**
 * Invites a new member, or an existing one again, and shows its join line. `people` can own machines. `name` is fixed if a member is
 * invited again.
 */
export function InviteDialog({
  people,
  name: fixed,
  kind: fixedKind,
  onClose,
}: {
  people: readonly string[]
  name?: string
  kind?: 'machine' | 'human'
  onClose: () => void
}) {
  const name = useSignal(fixed ?? '')
  const kind = useSignal<'machine' | 'human'>(fixedKind ?? 'machine')
  const owner = useSignal('')
  const from = useSignal('')
  const made = useSignal<InviteAnswer | undefined>(undefined)
  const invite = async () => {
    const ranges = rangesIn(from.value)
    made.value = await call('invite', {
      body: {
        name: name.value.trim().toLowerCase(),
        kind: kind.value,
        ...(kind.value === 'machine' && owner.value.trim() !== '' && { owner: owner.value.trim() }),
        ...(ranges.length > 0 && { from: ranges }),
      },
    })
  }
  if (made.value) {
    return (
      <Dialog title={`Join line for ${made.value.name}`} wide keep onClose={onClose}>
        <Invitation made={made.value} />
        <div class="actions">
          <Button onClick={onClose}>Done</Button>
        </div>
      </Dialog>
    )
  }
  return (
    <Dialog title={fixed ? `Invite ${fixed} again` : 'Invite a member'} onClose={onClose}>
      <form onSubmit={event => event.preventDefault()}>
        {fixed ? (
          <p>
            You get a join line for a new token of {fixed}. Its inbox is kept; its current token stops working when the
            line is run.
          </p>
        ) : (
          <>
            <Select
              label="Kind"
              value={kind.value}
              onInput={value => (kind.value = value as 'machine' | 'human')}
              options={[
                ['machine', 'Machine (Claude Code)'],
                ['human', 'Person'],
              ]}
            />
            <Field
              label="Name"
              hint="1 to 64 characters of a-z, 0-9 and -. Others write to this name."
              value={name.value}
              onInput={value => (name.value = value)}
              placeholder={kind.value === 'machine' ? 'seanclaude' : 'sean'}
              autoFocus
              required
            />
          </>
        )}
        {kind.value === 'machine' && !fixed && (
          <NameField
            label="Owner"
            hint="The person to whom the machine belongs. They read its messages here, and are notified of those it leaves unread."
            value={owner.value}
            onInput={value => (owner.value = value)}
            known={people}
            placeholder="nobody"
          />
        )}
        <Field
          label="Bind the token to addresses"
          hint="Ranges such as 10.0.3.0/24 or fd00::/8, addresses, or loopback, separated by commas."
          value={from.value}
          onInput={value => (from.value = value)}
          placeholder={fixed ? 'unchanged' : 'anywhere'}
        />
        <div class="actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button look="main" type="submit" disabled={name.value.trim() === ''} onClick={invite}>
            Create join line
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
