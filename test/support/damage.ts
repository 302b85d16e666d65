import { readFileSync, writeFileSync } from 'node:fs'

/** Replaces each occurrence of some bytes in a file by as many others. Throws if there is none. */
export function replaceBytes(file: string, from: string, to: string): void {
  const bytes = readFileSync(file)
  if (!bytes.includes(from)) throw new Error(`${file} has no ${from}.`)
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + to.length)) bytes.write(to, at)
  writeFileSync(file, bytes)
}
