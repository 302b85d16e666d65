import { useSignal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import { Icon } from './icon.tsx'

/**
 * A line to copy, such as a join line, with its button. If the page may not use the clipboard (no secure context), the line is selected
 * instead, for the reader's own keys. `secret` adds a warning. `text` is shown as it is: only for lines that the hub made.
 */
export function CopyLine({ text, label, secret = false }: { text: string; label: string; secret?: boolean }) {
  const done = useSignal<'copied' | 'selected' | undefined>(undefined)
  const line = useRef<HTMLElement>(null)
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      done.value = 'copied'
    } catch {
      getSelection()?.selectAllChildren(line.current!)
      done.value = 'selected'
    }
    setTimeout(() => (done.value = undefined), 2500)
  }
  return (
    <div class="copy-line">
      <code ref={line}>{text}</code>
      <button type="button" class="button" aria-label={`Copy ${label}`} onClick={copy}>
        <Icon name={done.value === 'copied' ? 'check' : 'copy'} />
        <span aria-live="polite">
          {done.value === 'copied' ? 'Copied' : done.value === 'selected' ? 'Selected: press Ctrl+C' : 'Copy'}
        </span>
      </button>
      {secret && <p class="hint">Shown only once. It gives access to anyone who has it.</p>}
    </div>
  )
}
