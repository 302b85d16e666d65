import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Planted, withFault } from '../plant.ts'

const root = resolve(import.meta.dirname, '../..')

/** Files and directories of the checkout that a build reads, besides the packages. */
const inputs = [
  ...['src', 'plugin', 'deploy', 'build.ts', 'console-build.ts', 'third-party.ts', 'vite.config.ts', 'tsconfig.json'],
  ...['package.json', 'package-lock.json', 'install.sh', 'LICENSE'],
]

/** A copy of the checkout that builds the program with changes. Removed at the end of the `using` scope. */
export class Variant implements Disposable {
  readonly #dir = mkdtempSync(join(tmpdir(), 'claude-net-variant-'))

  constructor() {
    for (const name of inputs) cpSync(join(root, name), join(this.#dir, name), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(this.#dir, 'node_modules'))
  }

  /** The program of the last build. */
  get program(): string {
    return join(this.#dir, 'dist/claude-net.mjs')
  }

  /** Builds the program with only these `changes`. Throws if the build fails or a text to replace does not occur once. */
  async build(changes: readonly Omit<Planted, 'breaks'>[]): Promise<void> {
    const before = changes.map(({ file }) => readFileSync(join(this.#dir, 'src', file), 'utf8'))
    for (const [index, change] of changes.entries())
      writeFileSync(join(this.#dir, 'src', change.file), withFault(change, before[index]!))
    try {
      await runNode(this.#dir, ['build.ts'])
    } finally {
      for (const [index, { file }] of changes.entries()) writeFileSync(join(this.#dir, 'src', file), before[index]!)
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

/** Runs Node to its end and returns its standard output. Throws if it failed without output. */
export async function runNode(cwd: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  const child = spawn(process.execPath, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  const ended = new Promise<number | null>(done => child.on('close', done))
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  if (code !== 0 && output === '') throw new Error(`${args[0]} failed: ${errors.slice(-2000)}`)
  return output
}
