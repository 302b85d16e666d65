// Runs Biome (lint, format, import order) from the platform package: the wrapper package `@biomejs/biome` needs the
// packages of all platforms in the lock file, and `npm ci` fails if one is missing there.
import { spawnSync } from 'node:child_process'

const binary = `node_modules/@biomejs/cli-${process.platform}-${process.arch}/biome`
const { status, error } = spawnSync(binary, ['check', '--error-on-warnings', ...process.argv.slice(2)], {
  stdio: 'inherit',
})
if (error) {
  console.error(
    `No linter for ${process.platform}-${process.arch} (${binary}): add its package to optionalDependencies.`,
  )
}
process.exit(status ?? 1)
