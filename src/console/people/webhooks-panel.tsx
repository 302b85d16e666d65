import type { ComponentChildren, VNode } from 'preact'
import { Button } from '../ui/button.tsx'
import { Panel } from '../ui/panel.tsx'
import { Empty, Loaded } from '../ui/states.tsx'
import type { Asked } from '../ui/use-ask.ts'

/** A list of webhooks with a button to add one. `emptyTitle` and `empty` are shown while there is none. */
export function WebhooksPanel<Hook>({
  title,
  hooks,
  emptyTitle,
  empty,
  onAdd,
  item,
  children,
}: {
  title: string
  hooks: Asked<{ webhooks: readonly Hook[] }>
  emptyTitle: string
  empty: string
  onAdd: () => void
  item: (hook: Hook) => VNode
  /** Dialogs of the list. */
  children: ComponentChildren
}) {
  return (
    <Panel
      title={title}
      flush
      actions={
        <Button icon="plus" onClick={onAdd}>
          Add
        </Button>
      }
    >
      <Loaded asked={hooks} rows={3} what="the list of webhooks">
        {({ webhooks }) =>
          webhooks.length === 0 ? (
            <Empty icon="webhooks" title={emptyTitle}>
              {empty}
            </Empty>
          ) : (
            <ul class="hooks">{webhooks.map(item)}</ul>
          )
        }
      </Loaded>
      {children}
    </Panel>
  )
}
