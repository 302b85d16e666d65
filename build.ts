// Builds what runs from dist/: the machine's side, one file for any Node from 20 on, and beside it, for a host of a hub,
// the hub, the demo and the installer of the service, each loaded only when asked for; the web console as files, and the manual
// page.
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

/** Leaves an import of another bundle as an import of its file, so that one that is not there is found out when asked for. */
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
 * Takes Node's own modules by `require`. An `import` looks at every export, also at those that load what lies behind them only
 * when looked at: on Node 24 `import 'node:http'` costs 13 MB and 40 ms for a WebSocket that nobody asked for.
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
  // CommonJS packages inside an ES module ask for `require`.
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
  // What the hub loads only when it is asked for (`POST /mcp`, Telegram) comes apart by itself, and shares the rest with it, as does
  // its reading thread.
  build({
    ...common,
    entryPoints: { hub: 'src/hub/serve.ts', 'hub-reader': 'src/hub/reading/thread.ts' },
    outdir,
    outExtension: { '.js': '.mjs' },
    splitting: true,
    chunkNames: 'hub-[name]-[hash]',
    target: 'node24',
    // Names stay, for stack traces; a smaller source is 4 MB less in memory.
    minifyIdentifiers: false,
  }),
  build({ ...common, entryPoints: ['src/demo/demo.ts'], outfile: `${outdir}/demo.mjs`, target: 'node20' }),
  build({ ...common, entryPoints: ['src/service/service.ts'], outfile: `${outdir}/service.mjs`, target: 'node20' }),
])
chmodSync(`${outdir}/claude-net.mjs`, 0o755)
writeFileSync(`${outdir}/claude-net.1`, manPage(wholeProgram()))
const bundled = bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs))
writeFileSync(`${outdir}/THIRD-PARTY.txt`, thirdParty([...bundled, ...consoleModules]))
