/** The median, 99th percentile and maximum of some values. */
export interface Quantiles {
  p50: number
  p99: number
  max: number
}

/** The most recent values of a frequent measurement. Adding one costs a store into an array. */
export class LastValues {
  readonly #values: Float64Array
  #count = 0

  /** Keeps the last `most`. */
  constructor(most: number) {
    this.#values = new Float64Array(most)
  }

  add(value: number): void {
    this.#values[this.#count++ % this.#values.length] = value
  }

  /** Returns undefined while there are none. */
  quantiles(): Quantiles | undefined {
    const values = this.#values.slice(0, this.#count).sort()
    if (values.length === 0) return undefined
    const at = (part: number) => values[Math.min(values.length - 1, Math.floor(values.length * part))]!
    return { p50: at(0.5), p99: at(0.99), max: values.at(-1)! }
  }
}
