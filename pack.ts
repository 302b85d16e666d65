// Run by `npm pack` before and after, since the package has its own manifest. The one of the checkout is private, and lists the Node
// and the packages that building and testing need. The package contains only built files, and has no dependencies.
//   node pack.ts prepare     builds, and replaces the checkout's manifest by that of the package
//   node pack.ts restore     restores the checkout's manifest
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'

const [manifest, kept] = ['package.json', 'package.json.checkout']

/** Keys of the checkout's manifest that the package's manifest has too. */
const shared = ['name', 'version', 'description', 'license', 'type', 'engines', 'bin', 'man', 'files']

if (process.argv[2] === 'restore') {
  if (existsSync(kept)) renameSync(kept, manifest)
} else {
  // An interrupted run has left it: it is the checkout's manifest.
  if (existsSync(kept)) renameSync(kept, manifest)
  const { status } = spawnSync(process.execPath, ['build.ts'], { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) process.exit(status ?? 1)
  const checkout = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, unknown>
  const packed = Object.fromEntries(shared.map(key => [key, checkout[key]]))
  copyFileSync(manifest, kept)
  writeFileSync(manifest, `${JSON.stringify(packed, null, 2)}\n`)
}
