import { homedir } from 'node:os'
import { isAbsolute } from 'node:path'

/** The user's home directory. Undefined where HOME is not set, or is no absolute path, and the user has no entry in passwd. */
export function userHome(): string | undefined {
  try {
    const home = homedir()
    return isAbsolute(home) ? home : undefined
  } catch {
    return undefined
  }
}
