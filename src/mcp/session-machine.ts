import type { Home } from '../client/home.ts'
import { type Machine, openMachine } from '../client/machine.ts'
import { clashText } from '../client/project/find-project.ts'
import { type Scope, scopeOf } from '../client/project/scope.ts'

/** The machine as one session uses it. */
export interface OpenedMachine {
  machine: Machine
  /** Scope of the messages that the session reads. */
  scope: Scope
  /** A sentence stating that the session's project has another name than its directory, and why; undefined if it has the same. */
  projectRemark: string | undefined
}

/** Opens the machine of a home at its first use: a session may start before its machine joins. */
export class SessionMachine {
  readonly #home: Home
  readonly #onOpen: ((opened: OpenedMachine) => void)[] = []
  #opened: OpenedMachine | undefined

  constructor(home: Home) {
    this.#home = home
  }

  /** The machine, if it has been opened. */
  get opened(): OpenedMachine | undefined {
    return this.#opened
  }

  /** Registers the listener that is called when the machine is opened. Must precede the first `open`. */
  onOpen(listener: (opened: OpenedMachine) => void): void {
    this.#onOpen.push(listener)
  }

  /** Returns the machine. Throws `unauthorized`, with how to join, while this machine has not joined. */
  open(): OpenedMachine {
    if (this.#opened) return this.#opened
    const machine = openMachine(this.#home)
    const { scope, name, clash } = scopeOf(sessionDirectory(process.env), this.#home.dir, machine.config)
    this.#opened = { machine, scope, projectRemark: name !== undefined && clash ? clashText(name, clash) : undefined }
    for (const listener of this.#onOpen) listener(this.#opened)
    return this.#opened
  }
}

/** Returns the directory that the session works in: from Claude Code's environment variable, else the process's working directory. */
function sessionDirectory(env: NodeJS.ProcessEnv): string {
  try {
    return env.CLAUDE_PROJECT_DIR || process.cwd()
  } catch {
    return '/' // The directory was deleted.
  }
}
