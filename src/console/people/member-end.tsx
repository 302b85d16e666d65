import { useSignal } from '@preact/signals'
import { count } from '../../text/spans.ts'
import { call } from '../api.ts'
import { go } from '../router.ts'
import { Button } from '../ui/button.tsx'
import { Confirm } from '../ui/dialog.tsx'
import { Panel } from '../ui/panel.tsx'
import { toast } from '../ui/toast.tsx'
import type { Listed } from './directory.ts'

/** Deletes a member, after its name was typed. */
export function DeleteMember({
  member: { name, kind, unread = 0 },
  owned,
}: {
  member: Listed
  owned: readonly string[]
}) {
  const open = useSignal(false)
  return (
    <Panel title="Delete">
      <div class="stack">
        <p class="hint">
          Unread messages of {name} expire, and their senders are notified. The name becomes available. Messages that{' '}
          {name} sent are kept.
        </p>
        <p>
          <Button look="danger" onClick={() => (open.value = true)}>
            {`Delete ${name}`}
          </Button>
        </p>
      </div>
      {open.value && (
        <Confirm
          title={`Delete ${name}`}
          word={name}
          action="Delete permanently"
          onClose={() => (open.value = false)}
          onDo={async () => {
            const { expired } = await call('deleteMember', { params: { name } })
            go('members')
            toast(`${name} was deleted; ${count(expired, 'unread message')} expired.`)
          }}
        >
          <p>
            This cannot be undone.{' '}
            {unread > 0 ? `${count(unread, 'unread message')} of ${name} will expire.` : 'Its inbox is empty.'}
          </p>
          {owned.length > 0 && (
            <p>
              {count(owned.length, 'machine')} will have no owner: {owned.slice(0, 10).join(', ')}.
            </p>
          )}
          {kind === 'machine' && <p>Claude Code keeps running on the machine, but the hub refuses it.</p>}
        </Confirm>
      )}
    </Panel>
  )
}
