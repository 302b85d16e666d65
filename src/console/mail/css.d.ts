/** Vite makes a file of its own of what a page imports so. */
declare module '*.css'
