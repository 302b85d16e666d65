import { pick, type Random } from '../sim/random.ts'
import { deepValue, longText } from './target.ts'

/** Sources of mutations, besides random numbers. */
export interface Material {
  /** Whether inputs are JSON. */
  json: boolean
  dictionary: readonly string[]
  /** Other inputs, parts of which are inserted. */
  others: readonly Buffer[]
}

/** Maximum size of an input, in bytes. */
const maxBytes = 4096

/** Returns `input` with one to four mutations. */
export function mutated(random: Random, input: Buffer, material: Material): Buffer {
  const value = material.json && random() < 0.9 ? parsed(input) : undefined
  const times = 1 + Math.floor(random() * 4)
  if (value === undefined) {
    let bytes = input
    for (let time = 0; time < times; time++) bytes = mutatedBytes(random, bytes, material)
    return bytes.subarray(0, maxBytes)
  }
  const box = { value }
  for (let time = 0; time < times; time++) mutateValue(random, box, material)
  const bytes = Buffer.from(JSON.stringify(box.value) ?? 'null')
  return bytes.byteLength <= maxBytes ? bytes : mutatedBytes(random, input, material)
}

/** Values that programs often handle wrongly. */
const odd: readonly unknown[] = [
  ...[null, true, false, 0, -0, -1, 1, 1.5, 2 ** 31, 2 ** 53, -(2 ** 53), 1e308, 5e-324],
  ...[
    '',
    ' ',
    '\0',
    '\ud800',
    '\u202e',
    '\u200b',
    '\u0007\u001b[31m',
    'e\u0301'.repeat(20),
    '😀'.repeat(50),
    '\r\n',
    '../..',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'null',
    '-1',
    '1e9',
    '9'.repeat(25),
    '%00',
    '<b>&lt;',
    '{{x}}',
    '2026-02-30T25:61:61Z',
  ],
  ...[[], {}, [[]], [null], JSON.parse('{"__proto__":{"a":1}}'), longText, deepValue],
]

interface Place {
  of: Record<string, unknown> | unknown[]
  key: string
}

function mutateValue(random: Random, box: { value: unknown }, { dictionary, others }: Material): void {
  const places = placesOf(box as Record<string, unknown>)
  const { of, key } = pick(random, places)
  const target = of as Record<string, unknown>
  const value = target[key]
  const word = () => (dictionary.length > 0 ? pick(random, dictionary) : 'x')
  const another = (): unknown => {
    const other = others.length > 0 ? parsed(pick(random, others)) : undefined
    const from = placesOf({ value: other ?? null })
    const { of, key } = pick(random, from)
    return (of as Record<string, unknown>)[key]
  }
  switch (Math.floor(random() * 8)) {
    case 0:
      target[key] = copy(pick(random, odd))
      return
    case 1:
      if (Array.isArray(of)) of.splice(Number(key), 1)
      else if (of !== box) delete target[key]
      return
    case 2:
      target[key] = copy(another())
      return
    case 3:
      target[key] = word()
      return
    case 4:
      if (Array.isArray(value)) value.splice(Math.floor(random() * (value.length + 1)), 0, copy(another()))
      else if (isObject(value)) value[word()] = copy(random() < 0.5 ? another() : pick(random, odd))
      else target[key] = random() < 0.5 ? [value] : { [word()]: value }
      return
    case 5:
      if (Array.isArray(value) && value.length > 0) value.push(copy(pick(random, value)))
      else if (isObject(value)) target[key] = Object.fromEntries(Object.entries(value).reverse())
      else target[key] = String(value)
      return
    default:
      if (typeof value === 'string') {
        const bytes = mutatedBytes(random, Buffer.from(value), { json: false, dictionary, others: [] })
        target[key] = bytes.toString('utf8')
      } else if (typeof value === 'number')
        target[key] = pick(random, [value + 1, value - 1, -value, value * 1e6, value / 3])
      else target[key] = copy(pick(random, odd))
  }
}

/** Returns every mutable position of a value, the whole value first. */
export function placesOf(box: Record<string, unknown> | unknown[]): Place[] {
  const places: Place[] = []
  const visit = (of: Record<string, unknown> | unknown[]) => {
    for (const [key, value] of Object.entries(of)) {
      places.push({ of, key })
      if (value !== null && typeof value === 'object') visit(value as Record<string, unknown>)
    }
  }
  visit(box)
  return places
}

function mutatedBytes(random: Random, bytes: Buffer, { dictionary, others }: Material): Buffer {
  const at = Math.floor(random() * (bytes.byteLength + 1))
  const span = Math.min(bytes.byteLength - at, 1 + Math.floor(random() * random() * 64))
  const [before, part, after] = [bytes.subarray(0, at), bytes.subarray(at, at + span), bytes.subarray(at + span)]
  const put = (middle: Buffer | string) => Buffer.concat([before, Buffer.from(middle as string), after])
  switch (Math.floor(random() * 7)) {
    case 0:
      return put(Buffer.from(part.map(byte => byte ^ (1 << Math.floor(random() * 8)))))
    case 1:
      return put('')
    case 2:
      return put(Buffer.concat([part, part]))
    case 3:
      return put(Buffer.concat([Buffer.from(dictionary.length > 0 ? pick(random, dictionary) : '\0'), part]))
    case 4:
      return put(Buffer.from(Array.from(part, () => Math.floor(random() * 256))))
    case 5: {
      const other = others.length > 0 ? pick(random, others) : bytes
      const from = Math.floor(random() * other.byteLength)
      return put(other.subarray(from, from + Math.floor(random() * 128)))
    }
    default:
      return put(JSON.stringify(pick(random, odd)))
  }
}

function parsed(input: Buffer): unknown {
  try {
    return JSON.parse(input.toString('utf8'))
  } catch {
    return undefined
  }
}

function copy<T>(value: T): T {
  return value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
