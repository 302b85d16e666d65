// Runs Biome (lint, format, import order) from the platform package: the wrapper package `@biomejs/biome` wants the
// packages of every platform in the lock file, and one that is missing there makes `npm ci` fail.
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
