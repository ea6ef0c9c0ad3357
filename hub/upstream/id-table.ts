const SLOTS = 256
const FREE = -1

/**
 * What is in flight, by growing positive integer ids. It is no Map: a Map that is filled and emptied all the time is rehashed
 * all the time, and each table that V8 leaves behind refers to the next. Once one of them is in the old generation, every
 * call after it survives until the next full collection: many times the work for the collector at 16 calls in flight.
 */
export class IdTable<T> {
  readonly #ids = new Array<number>(SLOTS).fill(FREE)
  readonly #entries = new Array<T | undefined>(SLOTS).fill(undefined)
  /** Those whose slot was taken: beside long-lived ones, or when very many are in flight. */
  readonly #others = new Map<number, T>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): T | undefined {
    const slot = id % SLOTS
    return this.#ids[slot] === id ? this.#entries[slot] : this.#others.get(id)
  }

  /** Ids are not given twice. */
  add(id: number, entry: T): void {
    const slot = id % SLOTS
    this.#size++
    if (this.#ids[slot] === FREE) {
      this.#ids[slot] = id
      this.#entries[slot] = entry
    } else this.#others.set(id, entry)
  }

  delete(id: number): void {
    const slot = id % SLOTS
    if (this.#ids[slot] === id) {
      this.#ids[slot] = FREE
      this.#entries[slot] = undefined
      this.#size--
    } else if (this.#others.delete(id)) this.#size--
  }

  /** The ids now, the oldest first. */
  keys(): number[] {
    return [...this.#ids.filter((id) => id !== FREE), ...this.#others.keys()].sort((a, b) => a - b)
  }

  /** The entries now, the oldest first. */
  values(): T[] {
    return this.keys().flatMap((id) => this.get(id) ?? [])
  }
}
