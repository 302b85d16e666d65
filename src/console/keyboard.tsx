import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { entries } from './entries.ts'
import { go } from './router.ts'
import { Dialog } from './ui/dialog.tsx'

/** Whether the list of keys is shown. */
export const keysShown = signal(false)

/** Time after `g` within which its second key counts, in ms. */
const secondKeyMs = 1500

/** The keys of every page, and their list. The focused element and open dialogs handle their keys first. */
export function Keyboard() {
  useEffect(() => {
    let goUntil = 0
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
      if (isTyping(event.target) || document.querySelector('dialog[open]')) return
      const entry = event.timeStamp < goUntil ? entries().find(({ key }) => key === event.key) : undefined
      goUntil = event.key === 'g' ? event.timeStamp + secondKeyMs : 0
      if (entry) go(entry.page)
      else if (event.key === '/') search()
      else if (event.key === '?') keysShown.value = true
      else return
      event.preventDefault()
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])
  return keysShown.value ? <Keys /> : null
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.matches('input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]')
  )
}

/** Focuses the page's own search field, or opens the page Search. */
function search(): void {
  const field = document.querySelector<HTMLInputElement>('main input[type=search]')
  if (field) {
    field.focus()
    field.select()
  } else go('search')
}

function Keys() {
  return (
    <Dialog title="Keyboard shortcuts" onClose={() => (keysShown.value = false)}>
      <dl class="keys">
        {entries().map(({ page, words, key }) => (
          <div key={page}>
            <dt>
              <kbd>g</kbd> <kbd>{key}</kbd>
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>/</kbd>
          </dt>
          <dd>Search</dd>
        </div>
        <div>
          <dt>
            <kbd>Esc</kbd>
          </dt>
          <dd>Close the dialog</dd>
        </div>
        <div>
          <dt>
            <kbd>?</kbd>
          </dt>
          <dd>Keyboard shortcuts</dd>
        </div>
      </dl>
    </Dialog>
  )
}
