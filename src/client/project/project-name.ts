/** The longest name of a project, in characters. */
const maxLength = 64

/** Converts a text to a project name of lowercase letters, digits and `-`. Returns undefined if nothing is left. */
export function projectNameOf(text: string): string | undefined {
  const plain = text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  return trimmed(plain.replace(/[^a-z0-9]+/g, '-')) || undefined
}

/** Returns `name` with a number appended: `shop-2`. */
export function numbered(name: string, number: number): string {
  const end = `-${number}`
  return `${trimmed(name.slice(0, maxLength - end.length))}${end}`
}

function trimmed(name: string): string {
  return name.replace(/^-+/, '').slice(0, maxLength).replace(/-+$/, '')
}
