import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { Icon, type IconName } from './icon.tsx'
import { toastError } from './toast.tsx'

export interface ButtonProps {
  children: ComponentChildren
  /** `main` once in a form, `danger` for actions that cannot be undone, `plain` without a frame. */
  look?: 'main' | 'danger' | 'plain' | 'usual'
  icon?: IconName
  /** Only the icon is visible; `children` become its label, and must be text. */
  iconOnly?: boolean
  type?: 'button' | 'submit'
  disabled?: boolean
  title?: string
  /** If it returns a promise, the button stays busy until it settles; an error becomes a toast. */
  onClick?: (event: MouseEvent) => unknown
}

/** A button that cannot be pressed twice: it is busy while its action is awaited. */
export function Button({
  children,
  look = 'usual',
  icon,
  iconOnly = false,
  type = 'button',
  disabled,
  title,
  onClick,
}: ButtonProps) {
  const busy = useSignal(false)
  const click = async (event: MouseEvent) => {
    if (busy.value || !onClick) return
    const started = onClick(event)
    if (!(started instanceof Promise)) return
    busy.value = true
    await started.catch(toastError)
    busy.value = false
  }
  return (
    <button
      type={type}
      class={`button ${look} ${iconOnly ? 'icon-only' : ''}`}
      disabled={disabled}
      aria-disabled={busy.value}
      aria-busy={busy.value}
      title={title ?? (iconOnly ? String(children) : undefined)}
      onClick={click}
    >
      {icon && <Icon name={icon} />}
      <span class={iconOnly ? 'hidden' : ''}>{children}</span>
    </button>
  )
}
