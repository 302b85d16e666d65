import { homedir } from 'node:os'
import { isAbsolute } from 'node:path'

/** Returns the user's home directory; undefined when HOME is not an absolute path and the user has no entry in passwd. */
export function userHome(): string | undefined {
  try {
    const home = homedir()
    return isAbsolute(home) ? home : undefined
  } catch {
    return undefined
  }
}
