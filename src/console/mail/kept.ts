/** The part of `localStorage` used here. */
export type Shelf = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>

/**
 * Values of one kind that survive the page, each under its own key, so that two tabs do not undo each other's writes. What the browser cannot store
 * (it is full, or storage is forbidden) stays in memory while the page is open: `isLasting` says whether all is stored.
 */
export class Kept<Value> {
  readonly #shelf: Shelf | undefined
  readonly #prefix: string
  readonly #memory = new Map<string, Value>()

  /** `owner` is the member who is logged in: somebody else in the same browser has other values. */
  constructor(kind: string, owner: string, shelf: Shelf | undefined) {
    this.#shelf = shelf
    this.#prefix = `claude-net/${kind}/${owner}/`
  }

  get isLasting(): boolean {
    return this.#memory.size === 0
  }

  /** Undefined where there is none, or none that can be read. */
  get(key: string): Value | undefined {
    if (this.#memory.has(key)) return this.#memory.get(key)
    try {
      const text = this.#shelf?.getItem(this.#prefix + key)
      return text ? (JSON.parse(text) as Value) : undefined
    } catch {
      return undefined
    }
  }

  set(key: string, value: Value): void {
    try {
      if (!this.#shelf) throw new Error('there is no storage')
      this.#shelf.setItem(this.#prefix + key, JSON.stringify(value))
      this.#memory.delete(key)
    } catch {
      this.#memory.set(key, value)
    }
  }

  delete(key: string): void {
    this.#memory.delete(key)
    try {
      this.#shelf?.removeItem(this.#prefix + key)
    } catch {
      // Storage that forbids this contains nothing to delete.
    }
  }

  /** Every value with its key, in no order. */
  entries(): [string, Value][] {
    const keys = new Set(this.#memory.keys())
    try {
      for (let index = 0; index < (this.#shelf?.length ?? 0); index++) {
        const key = this.#shelf!.key(index)
        if (key?.startsWith(this.#prefix)) keys.add(key.slice(this.#prefix.length))
      }
    } catch {
      // What is in memory is all there is.
    }
    return [...keys].flatMap(key => {
      const value = this.get(key)
      return value === undefined ? [] : [[key, value] as [string, Value]]
    })
  }
}
