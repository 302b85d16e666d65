// Lists the libraries that the built files contain, with their licences, as those require of copies: dist/THIRD-PARTY.txt.
//   npm run licences     builds, and prints the name, version and licence of each
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Licences that permit a copy in a package under MIT, if their text comes along. */
const permitted = ['MIT', 'ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0']

interface Library {
  name: string
  version: string
  license?: unknown
  author?: string | { name?: string }
}

/**
 * Returns the text for the libraries that `files` belong to, by name: paths with `node_modules/` in them; others are ignored.
 * Throws if a licence is not one of `permitted`.
 */
export function thirdParty(files: Iterable<string>): string {
  const parts = librariesOf(files).map(dir => {
    const library = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Library
    const { name, version, license } = library
    if (typeof license !== 'string' || !permitted.includes(license))
      throw new Error(
        `${name} ${version} has the licence ${JSON.stringify(license)}: see third-party.ts before it is shipped.`,
      )
    return `${name} ${version} (${license})\n\n${textOf(dir, library)}\n`
  })
  return `The files beside this one contain these libraries.\n\n${parts.join(`\n${'-'.repeat(80)}\n\n`)}`
}

/** Returns the directory of each library, by name. */
function librariesOf(files: Iterable<string>): string[] {
  const found = [...files].flatMap(file => /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [])
  return [...new Set(found.map(dir => resolve(import.meta.dirname, dir)))].sort()
}

function textOf(dir: string, { author, license }: Library): string {
  const files = readdirSync(dir).filter(name => /^(?:licen[cs]e|copying|notice)(?:\.\w+)?$/i.test(name))
  if (files.length > 0) return files.map(name => readFileSync(join(dir, name), 'utf8').trim()).join('\n\n')
  const by = typeof author === 'object' ? author.name : author
  return `Copyright ${by ?? 'its authors'}. The package states the licence ${license} and has no file with its text.`
}

if (import.meta.main) {
  const listed = readFileSync(resolve(import.meta.dirname, 'dist/THIRD-PARTY.txt'), 'utf8')
  for (const [line] of listed.matchAll(/^\S+ \d+\.\S+ \(.*\)$/gm)) console.log(line)
}
