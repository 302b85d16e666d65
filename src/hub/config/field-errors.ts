import { closest, distance } from 'fastest-levenshtein'
import * as z from 'zod'

/** An error in one field of hub.json. */
export interface ConfigError {
  /** Counted from 1; undefined for a value from a flag. */
  line: number | undefined
  /** `limits.sends.burst`; empty for the whole file. */
  field: string
  message: string
}

/** Returns the errors that `schema` found, in the order of the lines of `text`, the JSON that was checked. */
export function configErrors(schema: z.ZodType, error: z.ZodError, text: string | undefined): ConfigError[] {
  const lines = text === undefined ? new Map<string, number>() : linesOf(text)
  const lineOf = (path: PropertyKey[]): number | undefined => {
    for (let length = path.length; length >= 0; length--) {
      const line = lines.get(path.slice(0, length).join('.'))
      if (line !== undefined) return line
    }
    return undefined
  }
  return error.issues
    .map(issue => innermost(issue))
    .flatMap(({ issue, path }) => {
      if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }]
      const known = fieldsAt(schema, path)
      return issue.keys.map(key => ({ path: [...path, key], message: `no such field${nearestTo(key, known)}` }))
    })
    .map(({ path, message }) => ({ line: lineOf(path), field: path.join('.'), message }))
    .sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
}

/** For a field with several forms, returns the issue of the form that matched furthest; for a bad key, the reason it is bad. */
function innermost(
  issue: z.core.$ZodIssue,
  before: PropertyKey[] = [],
): { issue: z.core.$ZodIssue; path: PropertyKey[] } {
  const path = [...before, ...issue.path]
  if (issue.code === 'invalid_key') return { issue: issue.issues[0] ?? issue, path }
  if (issue.code !== 'invalid_union') return { issue, path }
  const [inner] = issue.errors.map(issues => issues[0]!).sort((a, b) => b.path.length - a.path.length)
  return inner ? innermost(inner, path) : { issue, path }
}

function nearestTo(key: string, known: string[]): string {
  if (known.length === 0) return ''
  const nearest = known.find(name => name.startsWith(key)) ?? closest(key, known)
  return nearest.startsWith(key) || distance(key, nearest) <= Math.max(2, key.length / 3)
    ? `; did you mean ${nearest}?`
    : `; there are ${known.join(', ')}`
}

interface JsonSchema {
  properties?: Record<string, JsonSchema>
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  items?: JsonSchema
  additionalProperties?: JsonSchema | boolean
}

/** Returns the names of the fields that an object at `path` may have. */
function fieldsAt(schema: z.ZodType, path: PropertyKey[]): string[] {
  let forms = [z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema]
  const flat = (all: JsonSchema[]): JsonSchema[] =>
    all.flatMap(form => [form, ...flat([...(form.anyOf ?? []), ...(form.oneOf ?? [])])])
  for (const key of path) {
    forms = flat(forms).flatMap(({ properties, items, additionalProperties }) => [
      ...(properties?.[String(key)] ? [properties[String(key)]!] : []),
      ...(typeof key === 'number' && items ? [items] : []),
      ...(typeof additionalProperties === 'object' ? [additionalProperties] : []),
    ])
  }
  return flat(forms).flatMap(({ properties }) => Object.keys(properties ?? {}))
}

/** Maps the path of each field, joined with dots, to the line on which it begins. `text` is valid JSON. */
function linesOf(text: string): Map<string, number> {
  const lines = new Map([['', 1]])
  const stack: { isArray: boolean; key: string }[] = []
  /** Whether the next token begins an element of the innermost array, or a key of the innermost object. */
  let begins = false
  let line = 1
  for (const [token] of text.matchAll(/\n|"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    const top = stack.at(-1)
    if (token === '\n') {
      line++
      continue
    }
    if (begins && top && token !== ']' && token !== '}') {
      top.key = top.isArray ? String(Number(top.key) + 1) : (JSON.parse(token) as string)
      lines.set(stack.map(({ key }) => key).join('.'), line)
    }
    begins = token === '{' || token === '[' || token === ','
    if (token === '{' || token === '[') stack.push({ isArray: token === '[', key: '-1' })
    else if (token === '}' || token === ']') stack.pop()
  }
  return lines
}
