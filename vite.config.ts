// Configuration of Vite, which builds the web console (src/console) into dist/console. console-build.ts runs it.
import { resolve } from 'node:path'
import { defineConfig, type Plugin } from 'vite'

/**
 * `virtual:routes` is the table of routes with nothing but method and path: `{ sendMessage: ['POST', '/v1/messages'] }`. The table itself
 * (protocol/api.ts) would bring every schema into the page.
 */
const routeTable: Plugin = {
  name: 'route-table',
  resolveId: id => (id === 'virtual:routes' ? '\0routes' : undefined),
  async load(id) {
    if (id !== '\0routes') return undefined
    const { api } = await import('./src/protocol/api.ts')
    const routes = Object.entries(api).map(([name, { method, path }]) => [name, [method, path]])
    return `export const routes = ${JSON.stringify(Object.fromEntries(routes))}`
  },
}

/** Removes the `crossorigin` attribute, with which the browser would send an Origin header for the page's own files. */
const withoutCrossorigin: Plugin = {
  name: 'without-crossorigin',
  transformIndexHtml: { order: 'post', handler: html => html.replaceAll(' crossorigin', '') },
}

export default defineConfig({
  root: resolve(import.meta.dirname, 'src/console'),
  // The page is `/`; all other files are under `/console/`.
  base: '/console/',
  publicDir: 'public',
  plugins: [routeTable, withoutCrossorigin],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  logLevel: 'warn',
  build: {
    target: ['chrome123', 'firefox128', 'safari17.5'],
    assetsDir: '.',
    // The page's policy allows no data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    emptyOutDir: true,
    rolldownOptions: {
      checks: { pluginTimings: false },
      input: ['index.html', 'worker.ts'].map(name => resolve(import.meta.dirname, 'src/console', name)),
      // The service worker keeps its name: the browser requests it again to check for changes.
      output: { entryFileNames: ({ name }) => (name === 'worker' ? 'worker.js' : '[name]-[hash].js') },
    },
  },
})
