/**
 * Listeners that modules register while they are loaded into a snapshot, which cannot contain them. Until `releaseProcess`, listeners for
 * signals wait here, and `require` throws for a built-in module that `builtins` in build.ts makes lazy.
 */
const waiting: [name: string, listener: () => void][] = []
const { on } = process

process.on = ((name: string, listener: () => void) => {
  if (name.startsWith('SIG')) waiting.push([name, listener])
  else on.call(process, name, listener)
  return process
}) as typeof process.on

/** Registers the listeners, in the process started from the snapshot. */
export function releaseProcess(): void {
  process.on = on
  // Node caches the working directory once it was read; this clears the cache.
  process.chdir('.')
  for (const [name, listener] of waiting) process.on(name, listener)
  Object.assign(globalThis, { isLoadedSnapshot: true })
}
