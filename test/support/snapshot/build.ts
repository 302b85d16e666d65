import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { builtinModules, createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { dist, snapshot } from './files.ts'

const program = join(dist, 'claude-net.mjs')

/**
 * Creates a startup snapshot of V8: the memory of a process that has loaded the program's machine side. A test that starts a command, a
 * hook or an MCP server from it needs a third of the processor time, still in a process of its own and from the same sources. Called by
 * Vitest before the tests. If it fails, tests start the built file.
 */
export default async function prepareSnapshot(): Promise<void> {
  if (!existsSync(program)) return
  const stamp = `${snapshot}.of`
  const of = createHash('sha256').update(process.version).update(dist).update(readFileSync(program))
  for (const file of ['build.ts', 'entry.ts', 'hold-process.ts'])
    of.update(readFileSync(join(import.meta.dirname, file)))
  const wanted = of.digest('hex')
  if (existsSync(snapshot) && readFileSync(stamp, 'utf8') === wanted) return
  mkdirSync(dirname(snapshot), { recursive: true })
  const [bundle, made] = [`${snapshot}.cjs`, `${snapshot}.${process.pid}`]
  rmSync(snapshot, { force: true })
  try {
    await bundleInto(bundle)
    const args = ['--no-warnings', '--snapshot-blob', made, '--build-snapshot', bundle]
    execFileSync(process.execPath, args, { stdio: 'pipe' })
    renameSync(made, snapshot)
    writeFileSync(stamp, wanted)
  } catch (error) {
    console.warn(`The program cannot be kept loaded, so the tests take longer: ${(error as Error).message}`)
  }
}

/**
 * Bundles the machine's side into one CommonJS file, as a snapshot requires, which uses the URL and the directory of the built file as its
 * own.
 */
async function bundleInto(outfile: string): Promise<void> {
  await build({
    entryPoints: [join(import.meta.dirname, 'entry.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    logLevel: 'error',
    // A smaller heap is loaded faster.
    minifyWhitespace: true,
    minifySyntax: true,
    // The hub, the demo and the installer are required from dist/ when they are used.
    supported: { 'dynamic-import': false },
    plugins: [separateBundles, builtins],
    alias: { '@modelcontextprotocol/server/_shims': resolve('src/mcp/sdk-shims.ts') },
    define: { 'import.meta.url': 'programUrl', 'import.meta.dirname': 'programDir' },
    banner: {
      js: [
        `const programUrl = ${JSON.stringify(`file://${program}`)}, programDir = ${JSON.stringify(dist)}`,
        `require = id => process.getBuiltinModule('module').createRequire(programUrl)(id)`,
      ].join('\n'),
    },
  })
}

const separateBundles: Plugin = {
  name: 'separate-bundles',
  setup(context) {
    context.onResolve({ filter: /(hub\/serve|demo\/demo|service\/service)\.ts$/ }, ({ path }) => {
      const [, room] = /(hub|demo|service)\/\w+\.ts$/.exec(path)!
      return { path: join(dist, `${room}.mjs`), external: true }
    })
  },
}

/** Node's modules without state of the system, which a snapshot may contain. */
const inert = new Set(
  'async_hooks buffer constants crypto diagnostics_channel events fs fs/promises os path process stream timers timers/promises url util v8'.split(
    ' ',
  ),
)

/** Makes Node's other modules load in the process started from the snapshot, when one of their exports is called. */
const builtins: Plugin = {
  name: 'builtins',
  setup(context) {
    const all = new Set([...builtinModules, 'sqlite'])
    context.onResolve({ filter: /^(node:)?[a-z0-9_/]+$/ }, ({ path }) => {
      const name = path.replace('node:', '')
      return all.has(name) ? { path: name, namespace: 'builtin' } : undefined
    })
    context.onLoad({ filter: /./, namespace: 'builtin' }, ({ path: name }) => {
      const load = `process.getBuiltinModule('node:${name}')`
      if (inert.has(name)) return { contents: `module.exports = ${load}` }
      const names = Object.keys(createRequire(import.meta.url)(`node:${name}`) as object)
      return { contents: `(${lazily})(module.exports, () => ${load}, ${JSON.stringify(names)})` }
    })
  },
}

/** Part of the bundle: defines the exports `names` of the module that `load` loads on `exports`. */
function lazily(exports: object, load: () => Record<string, unknown>, names: string[]): void {
  for (const name of names) {
    const whenCalled = new Proxy(class {}, {
      apply: (_, self, args) => Reflect.apply(load()[name] as () => unknown, self, args),
      construct: (_, args) => Reflect.construct(load()[name] as () => void, args),
    })
    const get = () => ('isLoadedSnapshot' in globalThis ? load()[name] : whenCalled)
    Object.defineProperty(exports, name, { enumerable: true, get })
  }
}
