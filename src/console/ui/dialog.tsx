import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { Button } from './button.tsx'
import { Field } from './field.tsx'
import { openDialogs, Toasts } from './toast.tsx'

/**
 * A dialog over the page: the browser's own, so that focus stays in it, Escape closes it, and focus goes back after. Draw it only while
 * it is open: `{open.value && <Dialog title="…" onClose={() => (open.value = false)}>…</Dialog>}`.
 */
export function Dialog({
  title,
  children,
  onClose,
  wide = false,
  keep = false,
}: {
  title: ComponentChildren
  children: ComponentChildren
  onClose: () => void
  wide?: boolean
  /** Only its buttons close it: its content is shown once, and neither a click outside it nor a key must close it. */
  keep?: boolean
}) {
  const id = useId()
  const element = useRef<HTMLDialogElement>(null)
  const isGone = useRef(false)
  useEffect(() => {
    const dialog = element.current!
    dialog.showModal()
    openDialogs.value++
    return () => {
      // The close event comes later, when another dialog may be open in its place.
      isGone.current = true
      openDialogs.value--
      dialog.close()
    }
  }, [])
  return (
    // A click on the backdrop has the dialog itself as its target.
    <dialog
      ref={element}
      class={`dialog ${wide ? 'wide' : ''}`}
      aria-labelledby={id}
      onClose={() => !isGone.current && onClose()}
      onCancel={event => keep && event.preventDefault()}
      onMouseDown={event => event.target === element.current && !keep && onClose()}
    >
      <div class="dialog-body">
        <header>
          <h2 id={id}>{title}</h2>
          <Button look="plain" icon="close" iconOnly onClick={onClose}>
            Close
          </Button>
        </header>
        {children}
      </div>
      <Toasts inDialog />
    </dialog>
  )
}

/**
 * Asks before an action that cannot be undone: the reader types `word` (a name), or without `word` only presses the button. `children`
 * describe the consequences. `onDo` is awaited; its error becomes a toast, and the dialog stays.
 */
export function Confirm({
  title,
  word,
  action,
  children,
  onDo,
  onClose,
}: {
  title: string
  word?: string
  action: string
  children: ComponentChildren
  onDo: () => Promise<unknown>
  onClose: () => void
}) {
  const typed = useSignal('')
  const isSure = word === undefined || typed.value.trim() === word
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={event => event.preventDefault()}>
        {children}
        {word !== undefined && (
          <Field
            label={`Type ${word} to confirm`}
            value={typed.value}
            onInput={value => (typed.value = value)}
            autoFocus
          />
        )}
        <div class="actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button look="danger" type="submit" disabled={!isSure} onClick={async () => onDo().then(onClose)}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
