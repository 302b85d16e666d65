import { SharedBoard } from '../../src/hub/sharing/board.ts'

/** A board in memory, for the hubs of one process. Any number of them share it through `connect`. */
export class MemoryBoard {
  readonly values = new Map<string, string>()
  readonly #hearers = new Set<(key: string, value: string | undefined) => void>()

  /** Returns the board of hub `name`. Its keys are deleted when it is closed. */
  connect(name: string): SharedBoard {
    return new SharedBoard(name, hear => {
      this.#hearers.add(hear)
      for (const [key, value] of this.values) hear(key, value)
      const own = new Set<string>()
      return {
        put: (key, value) => {
          own.add(key)
          this.set(key, value)
        },
        close: async () => {
          this.#hearers.delete(hear)
          for (const key of own) this.set(key, undefined)
        },
      }
    })
  }

  /** Sets `HUB/TOPIC` as that hub would; undefined deletes it. */
  set(key: string, value: string | undefined): void {
    if (value === undefined) this.values.delete(key)
    else this.values.set(key, value)
    for (const hear of this.#hearers) hear(key, value)
  }
}
