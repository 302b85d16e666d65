import { useSignal } from '@preact/signals'
import type { Group } from '../../protocol/members.ts'
import { count } from '../../text/spans.ts'
import { call } from '../api.ts'
import { Button } from '../ui/button.tsx'
import { Confirm, Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Name } from '../ui/name.tsx'
import { Panel } from '../ui/panel.tsx'
import { Empty } from '../ui/states.tsx'
import { toast } from '../ui/toast.tsx'
import { namesIn } from './names.tsx'

/** Most members of a group that are named before it is expanded. */
const maxNamed = 12

/** All groups with their members; an admin can create, change and delete them. */
export function GroupsPanel({
  groups,
  isAdmin,
  reload,
}: {
  groups: readonly Group[]
  isAdmin: boolean
  reload: () => void
}) {
  const open = useSignal<{ group?: Group } | undefined>(undefined)
  const ending = useSignal<Group | undefined>(undefined)
  return (
    <Panel
      title="Groups"
      actions={
        isAdmin && (
          <Button icon="plus" onClick={() => (open.value = {})}>
            New group
          </Button>
        )
      }
    >
      {groups.length === 0 ? (
        <Empty icon="members" title="No groups yet">
          A group is a name for several members. A message to it is sent to each of them.
        </Empty>
      ) : (
        <ul class="groups">
          {groups.map(group => (
            <GroupItem
              key={group.name}
              group={group}
              onChange={isAdmin ? () => (open.value = { group }) : undefined}
              onDelete={isAdmin ? () => (ending.value = group) : undefined}
            />
          ))}
        </ul>
      )}
      {open.value && <GroupDialog {...open.value} reload={reload} onClose={() => (open.value = undefined)} />}
      {ending.value && <DeleteGroup group={ending.value} reload={reload} onClose={() => (ending.value = undefined)} />}
    </Panel>
  )
}

function GroupItem({
  group: { name, members },
  onChange,
  onDelete,
}: {
  group: Group
  onChange: (() => void) | undefined
  onDelete: (() => void) | undefined
}) {
  const all = useSignal(false)
  const shown = all.value ? members : members.slice(0, maxNamed)
  return (
    <li>
      <div class="row">
        <b class="grow">@{name}</b>
        <span class="hint">{count(members.length, 'member')}</span>
        {onChange && (
          <Button look="plain" onClick={onChange}>
            Edit
          </Button>
        )}
        {onDelete && (
          <Button look="plain" icon="close" iconOnly onClick={onDelete}>
            {`Delete ${name}`}
          </Button>
        )}
      </div>
      <p class="names-of">
        {shown.map(member => (
          <Name key={member} of={member} />
        ))}
        {members.length > shown.length && (
          <Button look="plain" onClick={() => (all.value = true)}>
            {`and ${members.length - shown.length} more`}
          </Button>
        )}
      </p>
    </li>
  )
}

function GroupDialog({ group, reload, onClose }: { group?: Group; reload: () => void; onClose: () => void }) {
  const name = useSignal(group?.name ?? '')
  const members = useSignal(group?.members.join(', ') ?? '')
  const save = async () => {
    const answer = await call('putGroup', {
      params: { name: name.value.trim().toLowerCase() },
      body: { members: namesIn(members.value) },
    })
    toast(`${answer.group} has ${count(answer.members.length, 'member')}.`)
    reload()
    onClose()
  }
  const isReady = name.value.trim() !== '' && namesIn(members.value).length > 0
  return (
    <Dialog title={group ? `Members of ${group.name}` : 'New group'} onClose={onClose}>
      <form onSubmit={event => event.preventDefault()}>
        {!group && (
          <Field
            label="Name"
            hint="Messages to this name are sent to all members of the group."
            value={name.value}
            onInput={value => (name.value = value)}
            placeholder="backend"
            autoFocus
          />
        )}
        <Field
          label="Members"
          hint="Names or aliases, separated by commas."
          rows={3}
          value={members.value}
          onInput={value => (members.value = value)}
          placeholder="seanclaude, jazclaude"
        />
        <div class="actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button look="main" type="submit" disabled={!isReady} onClick={save}>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function DeleteGroup({ group, reload, onClose }: { group: Group; reload: () => void; onClose: () => void }) {
  return (
    <Confirm
      title={`Delete the group ${group.name}`}
      word={group.name}
      action="Delete the group"
      onClose={onClose}
      onDo={async () => {
        await call('deleteGroup', { params: { name: group.name } })
        toast(`The group ${group.name} was deleted.`)
        reload()
      }}
    >
      <p>
        Its {count(group.members.length, 'member')} and their messages are kept. Messages to its name are refused from
        then on.
      </p>
    </Confirm>
  )
}
