import { useSignal } from '@preact/signals'
import { useEffect, useId, useRef } from 'preact/hooks'
import { Presence } from '../ui/badge.tsx'
import { Line } from '../ui/text.tsx'
import { addressesIn, completed, suggestions, wordAt } from './completion.ts'
import { useDirectory } from './directory.ts'

interface RecipientsProps {
  label: string
  value: string
  onInput: (value: string) => void
  /** The member that is not suggested: the reader. */
  you: string
  /** Accepts one name only, as in a filter. */
  single?: boolean
  hint?: string
  error?: string | undefined
  /** The first field of the form: it gets the focus. */
  isFirst?: boolean
}

/** A list of addresses with completion of names, aliases, groups and projects: arrow keys select, Enter or Tab accepts. */
export function RecipientsField({ label, value, onInput, you, single = false, hint, error, isFirst }: RecipientsProps) {
  const id = useId()
  const input = useRef<HTMLInputElement>(null)
  const caret = useSignal(value.length)
  const isOpen = useSignal(false)
  const chosen = useSignal(0)
  const directory = useDirectory()
  useEffect(() => {
    if (isFirst) input.current?.focus()
  }, [])

  const word = wordAt(value, Math.min(caret.value, value.length))
  const taken = addressesIn(value.slice(0, word.start) + value.slice(word.end))
  // A value that was not typed, such as one from the page's address, opens no suggestions.
  const typed = useRef<string | undefined>(undefined)
  const found =
    directory && isOpen.value && (typed.current ?? value) === value
      ? suggestions(directory, word.text, single ? [] : taken, you)
      : []
  // No list for an address that is complete already.
  const shown = found.length === 1 && found[0]!.address === word.text.toLowerCase() ? [] : found
  const at = Math.min(chosen.value, shown.length - 1)

  const take = (address: string) => {
    if (single) {
      onInput(address)
      isOpen.value = false
      return
    }
    const next = completed(value, word, address)
    onInput(next.text)
    isOpen.value = false
    queueMicrotask(() => {
      input.current?.focus()
      requestAnimationFrame(() => {
        input.current?.setSelectionRange(next.caret, next.caret)
        caret.value = next.caret
      })
    })
  }

  const key = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      if (shown.length === 0) isOpen.value = true
      else chosen.value = (at + (event.key === 'ArrowDown' ? 1 : shown.length - 1)) % shown.length
      return
    }
    if (shown.length === 0) return
    if (event.key === 'Enter' || (event.key === 'Tab' && word.text !== '' && !event.shiftKey)) {
      event.preventDefault()
      take(shown[at]!.address)
    } else if (event.key === 'Escape') {
      event.stopPropagation()
      isOpen.value = false
    }
  }

  const look = () => {
    caret.value = input.current?.selectionStart ?? value.length
  }

  return (
    <div class={`field recipients ${error !== undefined ? 'wrong' : ''}`}>
      <label for={id}>{label}</label>
      <input
        ref={input}
        id={id}
        type="text"
        role="combobox"
        aria-expanded={shown.length > 0}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={shown.length > 0 ? `${id}-${at}` : undefined}
        aria-invalid={error !== undefined}
        aria-describedby={hint || error ? `${id}-about` : undefined}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        dir="auto"
        value={value}
        onInput={event => {
          typed.current = event.currentTarget.value
          onInput(typed.current)
          isOpen.value = true
          chosen.value = 0
          look()
        }}
        onKeyDown={key}
        onKeyUp={look}
        onClick={() => {
          typed.current = value
          look()
          isOpen.value = true
        }}
        onBlur={() => (isOpen.value = false)}
      />
      <div
        id={`${id}-list`}
        role="listbox"
        aria-label={`${label}: suggestions`}
        class="suggestions"
        hidden={shown.length === 0}
      >
        {shown.map(({ address, note, online }, index) => (
          <div
            key={address}
            tabIndex={-1}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === at}
            // Before the input loses the focus, which would close the list.
            onMouseDown={event => {
              event.preventDefault()
              take(address)
            }}
          >
            <Presence online={online} />
            <Line max={130} class="address">
              {address}
            </Line>
            <Line max={100} class="hint">
              {note}
            </Line>
          </div>
        ))}
      </div>
      {(error ?? hint) && (
        <p id={`${id}-about`} class="hint">
          {error ?? hint}
        </p>
      )}
    </div>
  )
}
