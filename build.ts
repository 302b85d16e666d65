// Builds dist/: the machine's side, one file for Node 20 or newer; for the host of a hub, the hub, the demo and the installer of the
// service, each loaded on demand; the web console as files, and the manual page.
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { buildConsole } from './console-build.ts'
import { wholeProgram } from './src/cli/main.ts'
import { manPage } from './src/cli/man-page.ts'
import { thirdParty } from './third-party.ts'

const outdir = resolve(import.meta.dirname, 'dist')
const apart = {
  'hub/serve.ts': 'hub.mjs',
  'demo/demo.ts': 'demo.mjs',
  'service/service.ts': 'service.mjs',
} as const

/** Leaves an import of another bundle as an import of its file, so that a missing one fails only when it is loaded. */
const separateBundles: Plugin = {
  name: 'separate-bundles',
  setup(context) {
    context.onResolve({ filter: /(hub\/serve|demo\/demo|service\/service)\.ts$/ }, ({ path, kind }) => {
      const bundle = Object.entries(apart).find(([source]) => path.endsWith(source))?.[1]
      return kind === 'entry-point' || !bundle ? undefined : { path: `./${bundle}`, external: true }
    })
  },
}

/**
 * Loads Node's own modules by `require`. An `import` reads every export, including those that are loaded lazily when read: on Node 24
 * `import 'node:http'` costs 13 MB and 40 ms for a WebSocket that is never used.
 */
const requireBuiltins: Plugin = {
  name: 'require-builtins',
  setup(context) {
    context.onResolve({ filter: /^node:/ }, ({ path, kind, namespace }) =>
      kind === 'import-statement' && namespace === 'file' ? { path, namespace: 'builtin' } : { path, external: true },
    )
    context.onLoad({ filter: /^node:/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require('${path}')`,
    }))
  },
}

const common = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  minifyWhitespace: true,
  minifySyntax: true,
  minifyIdentifiers: true,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
  plugins: [separateBundles, requireBuiltins] as Plugin[],
  alias: { '@modelcontextprotocol/server/_shims': resolve(import.meta.dirname, 'src/mcp/sdk-shims.ts') },
  // CommonJS packages inside an ES module call `require`.
  banner: {
    js: `import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);`,
  },
} as const

rmSync(outdir, { recursive: true, force: true })
const [consoleModules, ...bundles] = await Promise.all([
  buildConsole(`${outdir}/console`),
  build({
    ...common,
    entryPoints: ['src/cli/start.ts'],
    outfile: `${outdir}/claude-net.mjs`,
    target: 'node20',
    banner: { js: `#!/usr/bin/env node\n${common.banner.js}` },
  }),
  // Splitting puts the parts that the hub loads on demand (`POST /mcp`, Telegram), and code shared with its reading thread, into files
  // of their own.
  build({
    ...common,
    entryPoints: { hub: 'src/hub/serve.ts', 'hub-reader': 'src/hub/reading/thread.ts' },
    outdir,
    outExtension: { '.js': '.mjs' },
    splitting: true,
    chunkNames: 'hub-[name]-[hash]',
    target: 'node24',
    // Names are kept for stack traces; the smaller source saves 4 MB of memory.
    minifyIdentifiers: false,
  }),
  build({ ...common, entryPoints: ['src/demo/demo.ts'], outfile: `${outdir}/demo.mjs`, target: 'node20' }),
  build({ ...common, entryPoints: ['src/service/service.ts'], outfile: `${outdir}/service.mjs`, target: 'node20' }),
])
chmodSync(`${outdir}/claude-net.mjs`, 0o755)
writeFileSync(`${outdir}/claude-net.1`, manPage(wholeProgram()))
const bundled = bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs))
writeFileSync(`${outdir}/THIRD-PARTY.txt`, thirdParty([...bundled, ...consoleModules]))
