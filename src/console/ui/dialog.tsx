import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { Button } from './button.tsx'
import { Field } from './field.tsx'

/**
 * A dialog over the page: the browser's own, so that focus stays in it, Escape closes it, and focus goes back after. Draw it only while
 * it is open: `{open.value && <Dialog title="…" onClose={() => (open.value = false)}>…</Dialog>}`.
 */
export function Dialog({
  title,
  children,
  onClose,
  wide = false,
}: {
  title: ComponentChildren
  children: ComponentChildren
  onClose: () => void
  wide?: boolean
}) {
  const id = useId()
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const dialog = element.current!
    dialog.showModal()
    return () => dialog.close()
  }, [])
  return (
    // A click on the backdrop is one on the dialog itself.
    <dialog
      ref={element}
      class={`dialog ${wide ? 'wide' : ''}`}
      aria-labelledby={id}
      onClose={onClose}
      onMouseDown={event => event.target === element.current && onClose()}
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
    </dialog>
  )
}

/**
 * Asks before something that cannot be undone: the reader types `word` (a name), or with no `word` only presses the button. `children`
 * say what will happen. `onDo` is awaited; its refusal becomes a toast, and the dialog stays.
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
