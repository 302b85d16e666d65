import type { Config, Home } from '../client/home.ts'
import { type Scope, scopeOf } from '../client/project/scope.ts'

/** Returns the scope of a command that runs here. */
export function scopeHere(home: Home, config: Config): Scope {
  return scopeOf(hereOrRoot(), home.dir, config).scope
}

/** The directory that a command runs in; `/` where it was removed. */
export function hereOrRoot(): string {
  try {
    return process.cwd()
  } catch {
    return '/'
  }
}
