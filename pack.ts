// `npm pack` runs this before and after: the package has a manifest of its own. This one is for the checkout: private, with the
// Node and the packages that building and testing need. What is packed is built, and depends on nothing.
//   node pack.ts prepare     builds, and puts the package's manifest in the place of the checkout's
//   node pack.ts restore     puts the checkout's back
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'

const [manifest, kept] = ['package.json', 'package.json.checkout']

/** What of the checkout's manifest is true of the package too. */
const shared = ['name', 'version', 'description', 'license', 'type', 'engines', 'bin', 'man', 'files']

if (process.argv[2] === 'restore') {
  if (existsSync(kept)) renameSync(kept, manifest)
} else {
  // Left by a run that was cut off: that one is the checkout's.
  if (existsSync(kept)) renameSync(kept, manifest)
  const { status } = spawnSync(process.execPath, ['build.ts'], { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) process.exit(status ?? 1)
  const checkout = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, unknown>
  const packed = Object.fromEntries(shared.map(key => [key, checkout[key]]))
  copyFileSync(manifest, kept)
  writeFileSync(manifest, `${JSON.stringify(packed, null, 2)}\n`)
}
