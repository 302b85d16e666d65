import { useId } from 'preact/hooks'
import { Field } from '../ui/field.tsx'

/** The names that a text lists, separated by commas or white space, each once. */
export function namesIn(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter(Boolean))]
}

/** A field for one name, completed from `known`. */
export function NameField({
  known,
  ...field
}: { known: readonly string[] } & Omit<Parameters<typeof Field>[0], 'list'>) {
  const id = useId()
  return (
    <>
      <Field {...field} list={id} />
      <datalist id={id}>
        {known.map(name => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  )
}
