import { useSignal } from '@preact/signals'
import { call } from '../api.ts'
import { go } from '../router.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Name } from '../ui/name.tsx'
import { toast } from '../ui/toast.tsx'
import type { Listed } from './directory.ts'
import { NameField } from './names.tsx'

/** The field for the owner of a machine. */
export function OwnerField({
  member: { name, owner },
  people,
  reload,
}: {
  member: Listed
  people: readonly string[]
  reload: () => void
}) {
  const typed = useSignal<string | undefined>(undefined)
  const save = async () => {
    const next = typed.value!.trim() || null
    await call('putMember', { params: { name }, body: { owner: next } })
    typed.value = undefined
    toast(next === null ? `${name} has no owner.` : `${name} is owned by ${next}.`)
    reload()
  }
  if (typed.value === undefined) {
    return (
      <span class="row">
        {owner === null ? 'none' : <Name of={owner} />}
        <Button look="plain" onClick={() => (typed.value = owner ?? '')}>
          Edit
        </Button>
      </span>
    )
  }
  return (
    <form class="with-button" onSubmit={event => event.preventDefault()}>
      <NameField
        label="Owner"
        bare
        value={typed.value}
        onInput={value => (typed.value = value)}
        known={people}
        placeholder="none"
        autoFocus
      />
      <Button look="main" type="submit" onClick={save}>
        Save
      </Button>
      <Button onClick={() => (typed.value = undefined)}>Cancel</Button>
    </form>
  )
}

/** The aliases of a member, with controls to remove and add them. */
export function Aliases({ name, aliases, reload }: { name: string; aliases: readonly string[]; reload: () => void }) {
  const adding = useSignal<string | undefined>(undefined)
  const remove = async (alias: string) => {
    await call('deleteAlias', { params: { name: alias } })
    toast(`${alias} is no longer an alias of ${name}.`)
    reload()
  }
  const add = async () => {
    const answer = await call('putAlias', {
      params: { name: adding.value!.trim().toLowerCase() },
      body: { member: name },
    })
    adding.value = undefined
    toast(`${answer.alias} is now an alias of ${answer.member}.`)
    reload()
  }
  return (
    <div class="stack tight">
      <ul class="chips">
        {aliases.map(alias => (
          <li key={alias} class="chip">
            {alias}
            <Button look="plain" icon="close" iconOnly onClick={() => remove(alias)}>
              {`Remove alias ${alias}`}
            </Button>
          </li>
        ))}
        {adding.value === undefined && (
          <li>
            <Button look="plain" icon="plus" onClick={() => (adding.value = '')}>
              Add
            </Button>
          </li>
        )}
      </ul>
      {adding.value !== undefined && (
        <form class="with-button" onSubmit={event => event.preventDefault()}>
          <Field
            label="New alias"
            bare
            value={adding.value}
            onInput={value => (adding.value = value)}
            placeholder="another name"
            autoFocus
          />
          <Button look="main" type="submit" disabled={adding.value.trim() === ''} onClick={add}>
            Add
          </Button>
          <Button onClick={() => (adding.value = undefined)}>Cancel</Button>
        </form>
      )}
    </div>
  )
}

/** Renames a member. */
export function RenameDialog({ name, kind, onClose }: { name: string; kind: string; onClose: () => void }) {
  const to = useSignal('')
  const rename = async () => {
    const answer = await call('renameMember', { params: { name }, body: { to: to.value.trim().toLowerCase() } })
    onClose()
    go('members', [answer.name])
    toast(`${name} is now ${answer.name}. The old name is available; add it as an alias to keep it.`)
  }
  return (
    <Dialog title={`Rename ${name}`} onClose={onClose}>
      <form onSubmit={event => event.preventDefault()}>
        <p>Its inbox, token and groups are kept. The old name becomes available.</p>
        <Field label="New name" value={to.value} onInput={value => (to.value = value)} placeholder={name} autoFocus />
        <p class="hint">
          {kind === 'machine' ? (
            <>
              The machine does not rename itself: set <code>machine</code> in <code>~/.claude-net/config.json</code>{' '}
              there too.
            </>
          ) : (
            'If the person uses Telegram, change the name in hub.json too.'
          )}
        </p>
        <div class="actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button
            look="main"
            type="submit"
            disabled={to.value.trim() === '' || to.value.trim() === name}
            onClick={rename}
          >
            Rename
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
