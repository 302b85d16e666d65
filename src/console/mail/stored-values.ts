/** The part of `localStorage` used here. */
export type ValueStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>

/**
 * Values of one kind that survive the page, each under its own key, so that two tabs do not overwrite each other's values. A value that the
 * browser cannot store (it is full, or storage is forbidden) stays in memory while the page is open: `isLasting` reports whether all are
 * stored.
 */
export class StoredValues<Value> {
  readonly #storage: ValueStorage | undefined
  readonly #prefix: string
  readonly #memory = new Map<string, Value>()

  /** `owner` is the logged-in member: other members in the same browser have other values. */
  constructor(kind: string, owner: string, storage: ValueStorage | undefined) {
    this.#storage = storage
    this.#prefix = `claude-net/${kind}/${owner}/`
  }

  get isLasting(): boolean {
    return this.#memory.size === 0
  }

  /** Returns undefined if there is no value, or it cannot be parsed. */
  get(key: string): Value | undefined {
    if (this.#memory.has(key)) return this.#memory.get(key)
    try {
      const text = this.#storage?.getItem(this.#prefix + key)
      return text ? (JSON.parse(text) as Value) : undefined
    } catch {
      return undefined
    }
  }

  set(key: string, value: Value): void {
    try {
      if (!this.#storage) throw new Error('there is no storage')
      this.#storage.setItem(this.#prefix + key, JSON.stringify(value))
      this.#memory.delete(key)
    } catch {
      this.#memory.set(key, value)
    }
  }

  delete(key: string): void {
    this.#memory.delete(key)
    try {
      this.#storage?.removeItem(this.#prefix + key)
    } catch {
      // Storage that forbids this contains nothing to delete.
    }
  }

  /** Every value with its key, in no order. */
  entries(): [string, Value][] {
    const keys = new Set(this.#memory.keys())
    try {
      for (let index = 0; index < (this.#storage?.length ?? 0); index++) {
        const key = this.#storage!.key(index)
        if (key?.startsWith(this.#prefix)) keys.add(key.slice(this.#prefix.length))
      }
    } catch {
      // Only the values in memory exist.
    }
    return [...keys].flatMap(key => {
      const value = this.get(key)
      return value === undefined ? [] : [[key, value] as [string, Value]]
    })
  }
}
