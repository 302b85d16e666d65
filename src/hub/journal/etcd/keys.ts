/** Encodes a key or a value as etcd's JSON gateway expects it. */
export function base64(value: string | Uint8Array): string {
  return Buffer.from(value as string).toString('base64')
}

/** Decodes a key or a value; nothing is the empty string. */
export function text(value = ''): string {
  return Buffer.from(value, 'base64').toString()
}

/** The range of all keys that begin with `prefix`, which ends in `/`. */
export function keysUnder(prefix: string): { key: string; range_end: string } {
  // `0` is the character after `/`.
  return { key: base64(prefix), range_end: base64(`${prefix.slice(0, -1)}0`) }
}
