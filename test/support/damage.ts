import { readFileSync, writeFileSync } from 'node:fs'

/** Replaces some bytes of a file by as many others, wherever they are. Throws when they are nowhere. */
export function replaceBytes(file: string, from: string, to: string): void {
  const bytes = readFileSync(file)
  if (!bytes.includes(from)) throw new Error(`${file} has no ${from}.`)
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + to.length)) bytes.write(to, at)
  writeFileSync(file, bytes)
}
