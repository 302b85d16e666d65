/**
 * Listeners that modules register while they are loaded into a snapshot, which cannot contain them: `require` of a built-in module that
 * `builtins` in build.ts makes lazy throws until then, and listeners for signals wait.
 */
const waiting: [name: string, listener: () => void][] = []
const { on } = process

process.on = ((name: string, listener: () => void) => {
  if (name.startsWith('SIG')) waiting.push([name, listener])
  else on.call(process, name, listener)
  return process
}) as typeof process.on

/** Lets the process that a snapshot has become do as asked. */
export function releaseProcess(): void {
  process.on = on
  // Node keeps the working directory once it was asked for.
  process.chdir('.')
  for (const [name, listener] of waiting) process.on(name, listener)
  Object.assign(globalThis, { isLoadedSnapshot: true })
}
