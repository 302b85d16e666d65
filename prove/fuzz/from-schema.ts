import { pick, type Random } from '../sim/random.ts'

/** Output of `z.toJSONSchema`. */
export interface JsonSchema {
  type?: string
  properties?: Record<string, JsonSchema>
  required?: string[]
  items?: JsonSchema
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  allOf?: JsonSchema[]
  enum?: unknown[]
  const?: unknown
  format?: string
  pattern?: string
  minimum?: number
  exclusiveMinimum?: number
  minItems?: number
  additionalProperties?: JsonSchema | boolean
}

/** Returns example strings by the name of a field. */
export type Strings = (field: string, schema: JsonSchema, random: Random) => string

/** Returns a value that mostly fits a schema: with all its fields, or without some optional ones. */
export function fitting(schema: JsonSchema, random: Random, strings: Strings, field = ''): unknown {
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return pick(random, schema.enum)
  const forms = schema.anyOf ?? schema.oneOf
  if (forms) return fitting(pick(random, forms), random, strings, field)
  switch (schema.type) {
    case 'object': {
      const required = new Set(schema.required)
      const fields = Object.entries(schema.properties ?? {}).filter(([name]) => required.has(name) || random() < 0.5)
      const value = Object.fromEntries(fields.map(([name, inner]) => [name, fitting(inner, random, strings, name)]))
      if (typeof schema.additionalProperties === 'object')
        value[strings('name', {}, random)] = fitting(schema.additionalProperties, random, strings, field)
      return value
    }
    case 'array': {
      const length = Math.max(schema.minItems ?? 0, Math.floor(random() * 3))
      return Array.from({ length }, () => fitting(schema.items ?? {}, random, strings, field))
    }
    case 'integer':
    case 'number':
      return Math.max(schema.minimum ?? 0, (schema.exclusiveMinimum ?? -1) + 1) + Math.floor(random() * 3)
    case 'boolean':
      return random() < 0.5
    case 'null':
      return null
    case 'string':
      return strings(field, schema, random)
    default:
      return schema.allOf?.[0] ? fitting(schema.allOf[0], random, strings, field) : strings(field, schema, random)
  }
}

/** Returns the names of all fields of a schema, and the allowed words of its values. */
export function wordsOf(schema: JsonSchema): string[] {
  const inner = [
    ...Object.values(schema.properties ?? {}),
    ...[schema.items ?? {}, ...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])],
    ...(typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : []),
  ].filter(each => Object.keys(each).length > 0)
  const own = [...Object.keys(schema.properties ?? {}), ...(schema.enum ?? []), schema.const]
  return [...own.filter(word => typeof word === 'string'), ...inner.flatMap(wordsOf)]
}
