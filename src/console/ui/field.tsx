import type { ComponentChildren, Ref } from 'preact'
import { useId } from 'preact/hooks'

interface Common {
  label: string
  /** Explanation of the field. */
  hint?: ComponentChildren
  /** Error of its value. */
  error?: string | undefined
  /** The label is for screen readers only. */
  bare?: boolean
}

interface InputProps extends Common {
  value: string
  onInput: (value: string) => void
  placeholder?: string
  type?: 'text' | 'search' | 'url' | 'datetime-local'
  /** Number of lines of a field that grows with its text. */
  rows?: number
  required?: boolean
  autoFocus?: boolean
  disabled?: boolean
  maxLength?: number
  /** The browser's autocompletion; off by default. */
  autocomplete?: string
  list?: string
  inputRef?: Ref<HTMLInputElement & HTMLTextAreaElement>
  onKeyDown?: (event: KeyboardEvent) => void
  onBlur?: () => void
}

/** A labelled input: `<Field label="Name" value={name.value} onInput={value => (name.value = value)} />`. */
export function Field({ label, hint, error, bare = false, value, onInput, rows, inputRef, ...rest }: InputProps) {
  const id = useId()
  const shared = {
    ...rest,
    id,
    value,
    autocomplete: rest.autocomplete ?? 'off',
    spellcheck: rows !== undefined,
    dir: 'auto' as const,
    'aria-invalid': error !== undefined,
    'aria-describedby': hint || error ? `${id}-about` : undefined,
    onInput: (event: Event) => onInput((event.currentTarget as HTMLInputElement).value),
  }
  return (
    <div class={`field ${error !== undefined ? 'wrong' : ''}`}>
      <label for={id} class={bare ? 'hidden' : ''}>
        {label}
      </label>
      {rows === undefined ? (
        <input {...shared} ref={inputRef as Ref<HTMLInputElement>} type={rest.type ?? 'text'} />
      ) : (
        <textarea
          {...{ ...shared, type: undefined, list: undefined }}
          ref={inputRef as Ref<HTMLTextAreaElement>}
          rows={rows}
        />
      )}
      <About id={id} hint={hint} error={error} />
    </div>
  )
}

interface SelectProps extends Common {
  value: string
  onInput: (value: string) => void
  /** Value and words of each choice, in their order. */
  options: readonly (readonly [value: string, words: string])[]
  disabled?: boolean
}

/** A labelled choice of a few. */
export function Select({ label, hint, error, bare = false, value, onInput, options, disabled }: SelectProps) {
  const id = useId()
  return (
    <div class={`field ${error !== undefined ? 'wrong' : ''}`}>
      <label for={id} class={bare ? 'hidden' : ''}>
        {label}
      </label>
      <select id={id} value={value} disabled={disabled} onInput={event => onInput(event.currentTarget.value)}>
        {options.map(([key, words]) => (
          <option key={key} value={key} selected={key === value}>
            {words}
          </option>
        ))}
      </select>
      <About id={id} hint={hint} error={error} />
    </div>
  )
}

/** A choice of two to four values, all visible, such as for a filter. */
export function Choice<Value extends string>({
  label,
  value,
  onInput,
  options,
}: {
  label: string
  value: Value
  onInput: (value: Value) => void
  options: readonly (readonly [value: Value, words: string])[]
}) {
  const id = useId()
  return (
    <fieldset class="choice">
      <legend class="hidden">{label}</legend>
      {options.map(([key, words]) => (
        <label key={key}>
          <input type="radio" name={id} value={key} checked={key === value} onInput={() => onInput(key)} />
          <span>{words}</span>
        </label>
      ))}
    </fieldset>
  )
}

/** A labelled checkbox. */
export function Check({
  label,
  hint,
  checked,
  onInput,
  disabled,
}: {
  label: string
  hint?: ComponentChildren
  checked: boolean
  onInput: (checked: boolean) => void
  disabled?: boolean
}) {
  const id = useId()
  return (
    <div class="field check">
      <label for={id}>
        <input
          id={id}
          type="checkbox"
          checked={checked}
          disabled={disabled}
          onInput={event => onInput(event.currentTarget.checked)}
        />
        {label}
      </label>
      <About id={id} hint={hint} error={undefined} />
    </div>
  )
}

function About({ id, hint, error }: { id: string; hint: ComponentChildren; error: string | undefined }) {
  if (!hint && error === undefined) return null
  return (
    <p id={`${id}-about`} class="hint">
      {error ?? hint}
    </p>
  )
}
