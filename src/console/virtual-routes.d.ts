/** Generated from the table of routes by vite.config.ts: each route's method and path. */
declare module 'virtual:routes' {
  export const routes: Record<string, readonly [method: string, path: string]>
}

/** A style sheet that is loaded with the module which imports it. */
declare module '*.css' {}
