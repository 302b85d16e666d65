import { signal } from '@preact/signals'
import { HubError } from '../api.ts'
import { Icon } from './icon.tsx'
import { Text } from './text.tsx'

interface Toast {
  id: number
  tone: 'good' | 'bad'
  text: string
  hint?: string | undefined
}

const toasts = signal<readonly Toast[]>([])
let lastId = 0

/** Time a toast stays, in ms; an error stays until it is closed. */
const stayMs = 4000

/**
 * Shows a confirmation for a few seconds: `toast('The message is stored.')`. The sentence is ours; hidden characters in names are made
 * visible.
 */
export function toast(text: string): void {
  add({ tone: 'good', text })
}

/** Shows an error and what to do next, until it is closed. */
export function toastError(error: unknown): void {
  if (error instanceof HubError) add({ tone: 'bad', text: error.message, hint: error.hint })
  else {
    add({ tone: 'bad', text: 'Something went wrong on this page.', hint: 'Reload the page.' })
    console.error(error)
  }
}

function add(toast: Omit<Toast, 'id'>): void {
  const id = ++lastId
  toasts.value = [...toasts.value.slice(-3), { ...toast, id }]
  if (toast.tone === 'good') setTimeout(close, stayMs, id)
}

function close(id: number): void {
  toasts.value = toasts.value.filter(toast => toast.id !== id)
}

/** Number of open dialogs. Behind an open one the page cannot be clicked. */
export const openDialogs = signal(0)

/** Draws the toasts: in the frame of the page, or in the open dialog. */
export function Toasts({ inDialog = false }: { inDialog?: boolean }) {
  if (openDialogs.value > 0 !== inDialog) return null
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, tone, text, hint }) => (
        <div key={id} class={`toast ${tone}`}>
          <div>
            <Text>{text}</Text>
            {hint !== undefined && (
              <p class="hint">
                <Text>{hint}</Text>
              </p>
            )}
          </div>
          <button type="button" class="button plain icon-only" title="Close" onClick={() => close(id)}>
            <Icon name="close" />
            <span class="hidden">Close</span>
          </button>
        </div>
      ))}
    </div>
  )
}
