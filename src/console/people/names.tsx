import { useId } from 'preact/hooks'
import { Field } from '../ui/field.tsx'

/** Returns the names in a text, separated by commas or white space, each once. */
export function namesIn(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter(Boolean))]
}

/** Most names that a field suggests: an organization may have thousands. */
const maxOffered = 20

/** A field for names separated by commas, the last of which is completed from `known`. */
export function NameField({
  known,
  ...field
}: { known: readonly string[] } & Omit<Parameters<typeof Field>[0], 'list'>) {
  const id = useId()
  return (
    <>
      <Field {...field} list={id} />
      <datalist id={id}>
        {offered(field.value, known).map(name => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  )
}

/** Returns the values offered for the field: the text before the last name, with each known name that contains the last. */
export function offered(typed: string, known: readonly string[]): string[] {
  const [, before = '', last = ''] = /^(.*[\s,])?([^\s,]*)$/s.exec(typed) ?? []
  const there = new Set(namesIn(before))
  const letters = last.toLowerCase()
  return known
    .filter(name => name.includes(letters) && name !== letters && !there.has(name))
    .sort((a, b) => Number(b.startsWith(letters)) - Number(a.startsWith(letters)))
    .slice(0, maxOffered)
    .map(name => before + name)
}
