// Builds the web console into a directory: Vite, then a .br and a .gz beside each file that shrinks.
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { build } from 'vite'

const here = import.meta.dirname
const cache = resolve(here, 'node_modules/.cache/claude-net-console')

/** File of a built console in the cache that lists its modules. */
const modulesFile = 'modules.json'

/** The files that the built console depends on. */
const inputs = [
  'src/console/**/*',
  'src/text/*.ts',
  'src/protocol/**/*.ts',
  'vite.config.ts',
  'console-build.ts',
  'package-lock.json',
]

/**
 * Fills `outdir` with the console. A build from unchanged sources is copied from a cache: `npm test` and `npm run demo` build each time,
 * and Vite takes a second. Returns the paths of the modules in it.
 */
export async function buildConsole(outdir: string): Promise<string[]> {
  const built = join(cache, keyOfInputs())
  if (!existsSync(built)) {
    const making = `${built}.${process.pid}`
    const { build } = await import('vite')
    const { default: config } = await import('./vite.config.ts')
    const made = await build({ ...config, configFile: false, build: { ...config.build, outDir: making } })
    await compress(making)
    writeFileSync(join(making, modulesFile), JSON.stringify(modulesOf(made)))
    for (const name of readdirSync(cache))
      if (!making.endsWith(name)) rmSync(join(cache, name), { recursive: true, force: true })
    renameSync(making, built)
  }
  rmSync(outdir, { recursive: true, force: true })
  cpSync(built, outdir, { recursive: true, filter: path => !path.endsWith(modulesFile) })
  return JSON.parse(readFileSync(join(built, modulesFile), 'utf8')) as string[]
}

function modulesOf(made: Awaited<ReturnType<typeof build>>): string[] {
  const outputs = [made].flat().flatMap(each => ('output' in each ? each.output : []))
  return [...new Set(outputs.flatMap(each => (each.type === 'chunk' ? each.moduleIds : [])))]
}

function keyOfInputs(): string {
  const hash = createHash('sha256')
  for (const name of globSync(inputs, { cwd: here, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort())
    hash
      .update(`${name.slice(here.length)}\0`)
      .update(readFileSync(name))
      .update('\0')
  mkdirSync(cache, { recursive: true })
  return hash.digest('hex').slice(0, 32)
}

async function compress(dir: string): Promise<void> {
  const files = readdirSync(dir).filter(name => /\.(html|js|css|svg|webmanifest)$/.test(name))
  await Promise.all(
    files.map(async name => {
      const bytes = readFileSync(join(dir, name))
      const [br, gz] = await Promise.all([
        promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
        promisify(gzip)(bytes, { level: 9 }),
      ])
      if (br.length < bytes.length) writeFileSync(join(dir, `${name}.br`), br)
      if (gz.length < bytes.length) writeFileSync(join(dir, `${name}.gz`), gz)
    }),
  )
}
